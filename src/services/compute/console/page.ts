/** The page at a console's URL: small, of this port alone, the terminal is xterm's. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { notFound } from '../../../kernel/fault.ts';
import type { Service } from '../../../kernel/service.ts';
import { CONSOLE_PATH } from '../model/consoles.ts';

const PAGE = join(import.meta.dirname, 'page');

interface Asset {
  type: string;
  read(): Buffer;
}

const own = (name: string, type: string): Asset => ({ type, read: () => readFileSync(join(PAGE, name)) });
const packaged = (name: string, type: string): Asset => ({ type, read: () => readFileSync(createRequire(import.meta.url).resolve(name)) });

const assets: Record<string, Asset> = {
  'console.js': own('console.js', 'text/javascript; charset=utf-8'),
  'console.css': own('console.css', 'text/css; charset=utf-8'),
  'xterm.mjs': packaged('@xterm/xterm/lib/xterm.mjs', 'text/javascript; charset=utf-8'),
  'xterm.css': packaged('@xterm/xterm/css/xterm.css', 'text/css; charset=utf-8'),
  'addon-fit.mjs': packaged('@xterm/addon-fit/lib/addon-fit.mjs', 'text/javascript; charset=utf-8'),
};

/** The token is in the page's URL, hence no referrer. xterm writes style elements of its own. Dashboards show the page in a frame. */
const HEADERS = {
  'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
};

/** Needs no token: what it shows does. */
export function consolePage(): Service {
  return {
    name: 'console',
    prefix: CONSOLE_PATH.slice(0, -1),
    policies: [],
    tasks: [],
    jobs: [],
    migrations: [],
    formatFault: (fault) => ({ contentType: 'text/plain; charset=utf-8', body: `${fault.message}\n`, headers: HEADERS }),
    endpoints: [
      endpoint({
        id: 'console-page', method: 'GET', path: '/', summary: 'The terminal of a server in the browser', policy: 'public', reply: 'stream', status: 200,
        handler: () => file(own('index.html', 'text/html; charset=utf-8'), 'no-store'),
      }),
      endpoint({
        id: 'console-asset', method: 'GET', path: '/assets/{name}', summary: 'What the page of a console is made of', policy: 'public', reply: 'stream', status: 200,
        handler: ({ params }) => {
          const asset = Object.hasOwn(assets, params.name) ? assets[params.name] : undefined;
          if (asset === undefined) throw notFound('console.no-such-file', 'There is no such file.');
          return file(asset, 'max-age=3600');
        },
      }),
    ],
  };
}

const file = ({ read, type }: Asset, caching: string) => reply(read(), { headers: { ...HEADERS, 'content-type': type, 'cache-control': caching } });
