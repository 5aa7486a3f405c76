import { useDocumentTitle } from '@mantine/hooks';

/** Names the browser tab after the page. */
export function usePageTitle(title: string) {
  useDocumentTitle(`${title} · Admin`);
}
