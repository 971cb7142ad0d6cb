import { Type } from 'typebox';
import { since, until } from '../../../../kernel/api/microversion.ts';
import { type AnyCall, reply } from '../../../../kernel/api/endpoint.ts';
import { nullable, uuidString } from '../../../../kernel/api/schema.ts';
import { badRequest } from '../../../../kernel/fault.ts';
import { password } from '../../../../kernel/ids.ts';
import type { ComputeDeps } from '../../deps.ts';
import { type RebuildServer, rebuildServer } from '../../model/rebuild-server.ts';
import { findBoot } from '../../store/servers.ts';
import type { ServerRow } from '../../store/tables.ts';
import { versions } from '../../versions.ts';
import { descriptionText, diskConfig, hostnameText, hostText, ipv4Text, ipv6Text, isBase64, looseBoolean, metadataMap, nameText, shortIpv6 } from '../parameters.ts';
import { filesOf } from '../server-create.ts';
import { file } from '../server-schemas.ts';
import { readerOf } from '../server-target.ts';
import { serverCore, serverDetail, serverLinks } from '../server-view.ts';
import { viewOptions } from '../view-options.ts';
import { type Action, closed } from './action.ts';

const body = Type.Object({
  imageRef: uuidString,
  name: Type.Optional(nameText),
  adminPass: Type.Optional(Type.String()),
  metadata: Type.Optional(metadataMap),
  preserve_ephemeral: Type.Optional(looseBoolean),
  'OS-DCF:diskConfig': Type.Optional(diskConfig),
  accessIPv4: Type.Optional(ipv4Text),
  accessIPv6: Type.Optional(ipv6Text),
  personality: Type.Optional(until(versions.NO_PERSONALITY - 1, Type.Array(file))),
  description: Type.Optional(since(versions.SERVER_DESCRIPTION, descriptionText)),
  key_name: Type.Optional(since(versions.REBUILD_KEY, nullable(nameText))),
  user_data: Type.Optional(since(versions.NO_PERSONALITY, nullable(Type.String({ maxLength: 65_535 })))),
  trusted_image_certificates: Type.Optional(since(versions.TRUSTED_CERTIFICATES, nullable(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 50, uniqueItems: true })))),
  hostname: Type.Optional(since(versions.SERVER_HOSTNAME, Type.Union([until(versions.SERVER_FQDN - 1, hostnameText), since(versions.SERVER_FQDN, hostText)]))),
}, closed);

type Body = Type.Static<typeof body>;

export function rebuildActions(deps: ComputeDeps): Action[] {
  return [{
    name: 'rebuild',
    summary: 'Make a server anew of an image, where it is',
    policy: 'os_compute_api:servers:rebuild',
    body: Type.Object({ rebuild: body }, closed),
    reply: Type.Object({ server: Type.Object({ id: Type.String() }) }),
    act: async (row, actor, call) => {
      const asked = parse((call.body as { rebuild: Body }).rebuild, call, deps.config.enable_instance_password);
      const zero_disk = call.allows('os_compute_api:servers:create:zero_disk_flavor');
      const now = await rebuildServer(deps, { actor, auth: call.auth, zero_disk }, row, asked);
      return reply({ server: await shown(deps, call, now, asked) }, { headers: { location: serverLinks(call.base, row.id)[0]!.href } });
    },
  }];
}

function parse(rebuild: Body, call: AnyCall, passwords: boolean): RebuildServer {
  if (rebuild.trusted_image_certificates) {
    call.enforce('os_compute_api:servers:rebuild:trusted_certs');
    throw badRequest('compute.not-supported', 'Image signature certificate validation failed: signed images are not supported here, trusted_image_certificates cannot be checked.');
  }
  const { name, description, hostname, metadata, key_name, user_data } = rebuild;
  if (user_data !== undefined && user_data !== null && !isBase64(user_data)) throw badRequest('compute.user-data-invalid', 'User data needs to be valid base 64.');
  return {
    image_id: rebuild.imageRef,
    files: filesOf(rebuild.personality ?? []),
    admin_password: passwords ? { text: rebuild.adminPass ?? password(12), drawn: rebuild.adminPass === undefined } : null,
    ...(name === undefined ? {} : { name: name.trim() }),
    ...(description === undefined ? {} : { description }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(key_name === undefined ? {} : { key_name }),
    ...(user_data === undefined ? {} : { user_data }),
    ...(rebuild.accessIPv4 === undefined ? {} : { access_ip_v4: rebuild.accessIPv4 }),
    ...(rebuild.accessIPv6 === undefined ? {} : { access_ip_v6: shortIpv6(rebuild.accessIPv6) }),
    ...(rebuild['OS-DCF:diskConfig'] === undefined ? {} : { disk_config: rebuild['OS-DCF:diskConfig'] }),
  };
}

async function shown(deps: ComputeDeps, call: AnyCall, row: ServerRow, { admin_password }: RebuildServer) {
  const options = await viewOptions(deps, call, [row], true);
  const view = call.version >= versions.STRICT_QUERIES ? serverDetail(row, options) : serverCore(row, options, false);
  // Nova shows it under the other name alone here.
  delete view['OS-EXT-SRV-ATTR:user_data'];
  if (call.version >= versions.REBUILD_KEY) view['key_name'] = row.key_name;
  if (call.version >= versions.NO_PERSONALITY) view['user_data'] = (await findBoot(readerOf(deps), row.id))?.user_data ?? null;
  if (admin_password !== null) view['adminPass'] = admin_password.text;
  return view;
}
