/** The bodies of `POST /servers` and `PUT /servers/{id}` over all microversions. */
import { Type } from 'typebox';
import { since, until } from '../../../kernel/api/microversion.ts';
import { nullable, uuidString } from '../../../kernel/api/schema.ts';
import { versions } from '../versions.ts';
import {
  descriptionText,
  diskConfig,
  hostnameText,
  hostText,
  ipText,
  ipv4Text,
  ipv6Text,
  looseBoolean,
  MAX_TAGS,
  metadataMap,
  nameText,
  positiveInteger,
  tagText,
} from './parameters.ts';

const closed = { additionalProperties: false } as const;
/** The last version before another. */
const before = (version: number): number => version - 1;

const networkItem = Type.Object({ uuid: Type.Optional(Type.String()), port: Type.Optional(nullable(uuidString)), fixed_ip: Type.Optional(ipText) }, closed);
const networkItemStrict = Type.Object({ ...networkItem.properties, uuid: Type.Optional(uuidString) }, closed);
const tagged = <T extends Record<string, object>>(properties: T) => Type.Object({ ...properties, tag: Type.Optional(tagText) }, closed);

const networks = Type.Union([
  until(before(versions.DEVICE_TAGS), Type.Array(networkItem)),
  since(versions.DEVICE_TAGS, until(before(versions.NETWORKS_AUTO), Type.Array(tagged(networkItem.properties)))),
  since(versions.NETWORKS_AUTO, until(before(versions.DEVICE_TAGS_AGAIN), Type.Array(networkItemStrict))),
  since(versions.DEVICE_TAGS_AGAIN, Type.Array(tagged(networkItemStrict.properties))),
  since(versions.NETWORKS_AUTO, Type.Union([Type.Literal('auto'), Type.Literal('none')])),
]);

const oneOrMoreIds = Type.Union([uuidString, Type.Array(uuidString)]);
const hints = Type.Object(
  {
    group: Type.Optional(oneOrMoreIds),
    different_host: Type.Optional(oneOrMoreIds),
    same_host: Type.Optional(oneOrMoreIds),
    query: Type.Optional(Type.Union([Type.String(), Type.Object({})])),
    target_cell: Type.Optional(nameText),
    different_cell: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
    build_near_host_ip: Type.Optional(ipText),
    cidr: Type.Optional(Type.String({ pattern: '^/[0-9a-f.:]+$' })),
  },
  { additionalProperties: true },
);

const blockDevice = Type.Object(
  {
    virtual_name: Type.Optional(Type.String({ maxLength: 255 })),
    volume_id: Type.Optional(uuidString),
    snapshot_id: Type.Optional(uuidString),
    volume_size: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.String({ pattern: '^[0-9]+$' })])),
    device_name: Type.Optional(Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9._/-]*$' })),
    delete_on_termination: Type.Optional(looseBoolean),
    no_device: Type.Optional(Type.Unknown()),
    connection_info: Type.Optional(Type.String()),
  },
  closed,
);
const short = Type.Optional(Type.String({ maxLength: 255 }));
const blockDeviceV2 = Type.Object(
  {
    ...blockDevice.properties,
    source_type: Type.Optional(Type.Union(['volume', 'image', 'snapshot', 'blank'].map((name) => Type.Literal(name)))),
    uuid: Type.Optional(Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9._-]*$' })),
    image_id: Type.Optional(uuidString),
    destination_type: Type.Optional(Type.Union([Type.Literal('local'), Type.Literal('volume')])),
    guest_format: short,
    device_type: short,
    disk_bus: short,
    boot_index: Type.Optional(Type.Union([Type.Integer(), Type.String({ pattern: '^-?[0-9]+$' }), Type.Null()])),
    tag: Type.Optional(since(versions.DEVICE_TAGS, tagText)),
    volume_type: Type.Optional(since(versions.VOLUME_TYPE, nullable(Type.String({ maxLength: 255 })))),
  },
  closed,
);

export const file = Type.Object({ path: Type.Optional(Type.String()), contents: Type.Optional(Type.String()) }, closed);

const newServer = Type.Object(
  {
    name: nameText,
    imageRef: Type.Optional(Type.Union([uuidString, Type.Literal('')])),
    flavorRef: Type.Union([Type.String({ minLength: 1 }), Type.Integer()]),
    adminPass: Type.Optional(Type.String()),
    metadata: Type.Optional(metadataMap),
    networks: Type.Optional(networks),
    'OS-DCF:diskConfig': Type.Optional(diskConfig),
    accessIPv4: Type.Optional(ipv4Text),
    accessIPv6: Type.Optional(ipv6Text),
    personality: Type.Optional(until(before(versions.NO_PERSONALITY), Type.Array(file))),
    availability_zone: Type.Optional(nameText),
    block_device_mapping: Type.Optional(Type.Array(blockDevice)),
    block_device_mapping_v2: Type.Optional(Type.Array(blockDeviceV2)),
    config_drive: Type.Optional(looseBoolean),
    key_name: Type.Optional(nameText),
    min_count: Type.Optional(positiveInteger),
    max_count: Type.Optional(positiveInteger),
    return_reservation_id: Type.Optional(looseBoolean),
    security_groups: Type.Optional(Type.Array(Type.Object({ name: Type.Optional(nameText) }, closed))),
    user_data: Type.Optional(Type.String({ maxLength: 65_535 })),
    description: Type.Optional(since(versions.SERVER_DESCRIPTION, descriptionText)),
    tags: Type.Optional(since(versions.SERVER_TAGS_AT_CREATE, Type.Array(tagText, { maxItems: MAX_TAGS }))),
    trusted_image_certificates: Type.Optional(
      since(versions.TRUSTED_CERTIFICATES, nullable(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 50, uniqueItems: true }))),
    ),
    host: Type.Optional(since(versions.REQUESTED_HOST, hostText)),
    hypervisor_hostname: Type.Optional(since(versions.REQUESTED_HOST, hostText)),
    hostname: Type.Optional(
      since(versions.SERVER_HOSTNAME, Type.Union([until(before(versions.SERVER_FQDN), hostnameText), since(versions.SERVER_FQDN, hostText)])),
    ),
  },
  closed,
);

export const createBody = Type.Object(
  { server: newServer, 'os:scheduler_hints': Type.Optional(hints), 'OS-SCH-HNT:scheduler_hints': Type.Optional(hints) },
  closed,
);

export const updateBody = Type.Object(
  {
    server: Type.Object(
      {
        name: Type.Optional(nameText),
        'OS-DCF:diskConfig': Type.Optional(diskConfig),
        accessIPv4: Type.Optional(ipv4Text),
        accessIPv6: Type.Optional(ipv6Text),
        description: Type.Optional(since(versions.SERVER_DESCRIPTION, descriptionText)),
        hostname: Type.Optional(
          since(versions.SERVER_HOSTNAME, Type.Union([until(before(versions.SERVER_FQDN), hostnameText), since(versions.SERVER_FQDN, hostText)])),
        ),
      },
      closed,
    ),
  },
  closed,
);
