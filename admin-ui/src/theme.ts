import {
  Alert,
  Badge,
  Button,
  Drawer,
  Modal,
  NavLink,
  Notification,
  createTheme,
  type CSSVariablesResolver,
  type MantineColorsTuple,
} from '@mantine/core';

const petrol: MantineColorsTuple = [
  '#e6f6f8',
  '#d0e9ec',
  '#a3d2d8',
  '#73bac3',
  '#4ba6b1',
  '#3199a6',
  '#1d8c9a',
  '#0d7683',
  '#0b6875',
  '#0b5560',
];

// Mantine's dialogs have a <header>, which would be a second banner of the page.
const NO_BANNER = { role: 'presentation' };

/** Quiet text that still has contrast enough, in both themes. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#51585e',
    '--mantine-color-placeholder': '#666d73',
    '--mantine-color-error': '#a61e1e',
  },
  dark: {
    '--mantine-color-dimmed': '#a9b1b8',
    '--mantine-color-placeholder': '#99a1a8',
    '--mantine-color-error': '#ff9a9a',
    '--mantine-color-anchor': petrol[3],
  },
});

export const theme = createTheme({
  colors: { petrol },
  primaryColor: 'petrol',
  primaryShade: { light: 9, dark: 8 },
  autoContrast: true,
  respectReducedMotion: true,
  cursorType: 'pointer',
  defaultRadius: 'sm',
  fontFamily:
    'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif',
  fontFamilyMonospace:
    'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
  headings: {
    sizes: {
      h1: { fontSize: '1.4rem', lineHeight: '1.3' },
      h2: { fontSize: '1.1rem', lineHeight: '1.35' },
      h3: { fontSize: '1rem', lineHeight: '1.4' },
    },
  },
  components: {
    Alert: Alert.extend({
      defaultProps: { variant: 'outline' },
      styles: { label: { color: 'var(--mantine-color-text)' } },
    }),
    Badge: Badge.extend({ defaultProps: { radius: 'sm', variant: 'outline' } }),
    Button: Button.extend({ defaultProps: { size: 'sm' } }),
    Drawer: Drawer.extend({ defaultProps: { attributes: { header: NO_BANNER } } }),
    Modal: Modal.extend({ defaultProps: { attributes: { header: NO_BANNER } } }),
    NavLink: NavLink.extend({ defaultProps: { variant: 'filled' } }),
    Notification: Notification.extend({ defaultProps: { radius: 'sm' } }),
  },
});
