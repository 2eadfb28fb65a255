"""The same objectives inside other trainers: one module a trainer, imported by who has it."""
