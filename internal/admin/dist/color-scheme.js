// Runs before the first paint so that a dark screen never flashes white. An own file because the content
// security policy forbids inline scripts.
(function () {
  var stored = null;
  try {
    stored = localStorage.getItem('shopd-admin-color-scheme');
  } catch {
    // Storage may be blocked; the system setting decides then.
  }
  var scheme =
    stored === 'dark' || stored === 'light'
      ? stored
      : matchMedia('(prefers-color-scheme: dark)').matches
        ? 'dark'
        : 'light';
  document.documentElement.setAttribute('data-mantine-color-scheme', scheme);
})();
