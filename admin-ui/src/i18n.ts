import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';

export const languages = ['de', 'en'] as const;
export type Language = (typeof languages)[number];

const STORED = 'emt.language';
const files = import.meta.glob<{ default: Record<string, unknown> }>('./locales/*/*.json');

export function isLanguage(value: unknown): value is Language {
  return languages.includes(value as Language);
}

/** The stored choice, else the browser's first language that we have, else German. */
export function chooseLanguage(stored: string | null, wanted: readonly string[]): Language {
  if (isLanguage(stored)) return stored;
  return wanted.map((tag) => tag.slice(0, 2).toLowerCase()).find(isLanguage) ?? 'de';
}

function storedLanguage(): string | null {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null;
  }
}

export async function setLanguage(language: Language): Promise<void> {
  try {
    localStorage.setItem(STORED, language);
  } catch {
    // A browser that keeps nothing still changes the language of this visit.
  }
  await i18next.changeLanguage(language);
}

export async function startLanguage(): Promise<void> {
  i18next.on('languageChanged', (language) => {
    document.documentElement.lang = language;
  });
  await i18next
    .use({
      type: 'backend' as const,
      read(language: string, namespace: string, done: (error: unknown, data: unknown) => void) {
        const load = files[`./locales/${language}/${namespace}.json`];
        if (!load) return done(new Error(`no texts ${language}/${namespace}`), null);
        load().then(
          (file) => done(null, file.default),
          (error: unknown) => done(error, null),
        );
      },
    })
    .use(initReactI18next)
    .init({
      lng: chooseLanguage(storedLanguage(), navigator.languages),
      supportedLngs: languages,
      fallbackLng: false,
      ns: ['common'],
      defaultNS: 'common',
      interpolation: { escapeValue: false },
      react: { useSuspense: true },
      returnNull: false,
    });
}
