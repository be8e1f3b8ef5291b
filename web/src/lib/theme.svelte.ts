// Light, dark, or as the system has it. What was chosen is remembered in this
// browser only.
export type Theme = 'system' | 'light' | 'dark'
const key = 'clusy-theme'

function remembered(): Theme {
  try {
    const t = localStorage.getItem(key)
    return t === 'light' || t === 'dark' ? t : 'system'
  } catch {
    return 'system'
  }
}

export const theme = $state<{ is: Theme }>({ is: remembered() })

export function setTheme(t: Theme) {
  theme.is = t
  try {
    if (t === 'system') localStorage.removeItem(key)
    else localStorage.setItem(key, t)
  } catch {
    // A browser that remembers nothing still shows what was chosen.
  }
  apply()
}

function apply() {
  if (theme.is === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme.is
}

apply()
