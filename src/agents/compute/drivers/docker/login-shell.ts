/** What `/bin/sh -c` is given to become the shell that a user of the image has, as a login shell; images need have neither bash nor getent. */
export const LOGIN_SHELL = [
  'shell=',
  'me=$(id -u 2>/dev/null || echo 0)',
  'if [ -r /etc/passwd ]; then while IFS=: read -r _ _ uid _ _ _ its; do if [ "$uid" = "$me" ]; then shell=$its; break; fi; done < /etc/passwd; fi',
  'case $shell in */nologin|*/false|*/sync|*/true) shell= ;; esac',
  'if [ ! -x "$shell" ] && [ -x /bin/bash ]; then shell=/bin/bash; fi',
  'if [ ! -x "$shell" ]; then shell=/bin/sh; fi',
  'exec "$shell" -l',
].join('\n');
