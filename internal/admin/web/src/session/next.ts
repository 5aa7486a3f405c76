/** Where to go after signing in. Only paths of this application are followed, never another site's address. */
export function safeNext(next: string | null): string {
  return next && /^\/(?![/\\])/.test(next) ? next : '/';
}
