import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core';

const brand: MantineColorsTuple = [
  '#eef0fd',
  '#dadff8',
  '#b4bcf0',
  '#8b97e8',
  '#6b79e0',
  '#5363d6',
  '#3b4cca',
  '#3342b4',
  '#2b399f',
  '#212d80',
];

const gray: MantineColorsTuple = [
  '#fafafb',
  '#f3f4f6',
  '#e7e8ec',
  '#dcdee3',
  '#c4c7cf',
  '#9a9faa',
  '#6f7580',
  '#565b66',
  '#363a43',
  '#1a1c22',
];

const dark: MantineColorsTuple = [
  '#e6e7ea',
  '#b9bcc4',
  '#9599a4',
  '#6d717c',
  '#3a3d45',
  '#2b2d34',
  '#202228',
  '#17181c',
  '#101114',
  '#0b0c0e',
];

/** Calm and dense: small radius, 14 px text, tabular figures where numbers stand under each other. */
export const theme = createTheme({
  primaryColor: 'brand',
  primaryShade: { light: 6, dark: 5 },
  colors: { brand, gray, dark },
  fontFamily: "'Inter Variable', system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.125rem' },
  headings: {
    fontWeight: '600',
    sizes: {
      h1: { fontSize: '1.25rem', lineHeight: '1.4' },
      h2: { fontSize: '0.9375rem', lineHeight: '1.4' },
      h3: { fontSize: '0.875rem', lineHeight: '1.4' },
    },
  },
  defaultRadius: 'md',
  radius: { md: '6px', lg: '10px' },
  cursorType: 'pointer',
  components: {
    Button: { defaultProps: { size: 'sm' } },
    TextInput: { defaultProps: { size: 'sm' } },
    Modal: {
      defaultProps: {
        centered: true,
        radius: 'lg',
        closeButtonProps: { 'aria-label': 'Close' },
        // A dialog's header is not the banner of the page.
        attributes: { header: { role: 'presentation' } },
      },
      styles: { title: { fontWeight: 600 } },
    },
    Notification: { defaultProps: { closeButtonProps: { 'aria-label': 'Dismiss' } } },
    // The colour is in the border and the icon; words keep the contrast of text.
    Alert: {
      styles: {
        root: {
          backgroundColor: 'color-mix(in srgb, var(--alert-color) 8%, var(--surface-card))',
          border: '1px solid color-mix(in srgb, var(--alert-color) 35%, transparent)',
        },
        label: { color: 'var(--mantine-color-text)' },
      },
    },
    Tooltip: { defaultProps: { openDelay: 300 } },
  },
});

/** Names for the surfaces, so that components need no light and dark of their own. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-body': '#ffffff',
    '--mantine-color-dimmed': 'var(--mantine-color-gray-7)',
    '--mantine-color-placeholder': 'var(--mantine-color-gray-6)',
    '--mantine-color-error': '#c92a2a',
    '--surface-page': 'var(--mantine-color-gray-0)',
    '--surface-card': '#ffffff',
    '--surface-hover': 'var(--mantine-color-gray-1)',
    '--line': 'var(--mantine-color-gray-2)',
    '--accent-text': 'var(--mantine-color-brand-6)',
  },
  dark: {
    '--mantine-color-body': 'var(--mantine-color-dark-7)',
    '--mantine-color-dimmed': 'var(--mantine-color-dark-2)',
    '--mantine-color-placeholder': '#858a96',
    '--mantine-color-error': '#ff8787',
    '--surface-page': 'var(--mantine-color-dark-8)',
    '--surface-card': 'var(--mantine-color-dark-7)',
    '--surface-hover': 'var(--mantine-color-dark-6)',
    '--line': 'var(--mantine-color-dark-5)',
    '--accent-text': 'var(--mantine-color-brand-3)',
  },
});
