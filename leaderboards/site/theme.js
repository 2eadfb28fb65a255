// Light or dark: as the system has it, unless the button says otherwise. The choice is kept
// where the browser lets a page keep anything.
const THEMES = ["auto", "light", "dark"];
const THEME_KEY = "benchgen-theme";

const stored = (use) => {
  try {
    return use(localStorage);
  } catch (error) {
    // Storage that is switched off, or absent from a sandbox, says so by this alone.
    if (error instanceof DOMException) return null;
    throw error;
  }
};

const startTheme = (button) => {
  let theme = stored((storage) => storage.getItem(THEME_KEY));
  if (!THEMES.includes(theme)) theme = "auto";
  const apply = () => {
    document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
  };
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    stored((storage) => storage.setItem(THEME_KEY, theme));
    apply();
  });
  apply();
  button.hidden = false;
};
