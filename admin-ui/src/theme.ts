import {
  Alert,
  Badge,
  Button,
  NavLink,
  Notification,
  createTheme,
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
    Alert: Alert.extend({ defaultProps: { variant: 'outline' } }),
    Badge: Badge.extend({ defaultProps: { radius: 'sm', variant: 'outline' } }),
    Button: Button.extend({ defaultProps: { size: 'sm' } }),
    NavLink: NavLink.extend({ defaultProps: { variant: 'filled' } }),
    Notification: Notification.extend({ defaultProps: { radius: 'sm' } }),
  },
});
