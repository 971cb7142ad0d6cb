import { endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { CONTAINER_FORMATS, DISK_FORMATS, VISIBILITIES } from '../model/attributes.ts';

const readOnly = (type: unknown, description: string) => ({ type, readOnly: true, description });
const writable = (type: unknown, description: string, more: object = {}) => ({ type, description, ...more });

const imageProperties = {
  id: writable('string', 'An identifier for the image', { pattern: '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$' }),
  name: writable(['null', 'string'], 'Descriptive name for the image', { maxLength: 255 }),
  status: { ...readOnly('string', 'Status of the image'), enum: ['queued', 'saving', 'active', 'killed', 'deleted', 'uploading', 'importing', 'pending_delete', 'deactivated'] },
  visibility: writable('string', 'Scope of image accessibility', { enum: VISIBILITIES }),
  protected: writable('boolean', 'If true, image will not be deletable.'),
  os_hidden: writable('boolean', 'If true, image will not appear in default image list response.'),
  checksum: readOnly(['null', 'string'], 'md5 hash of image contents.'),
  os_hash_algo: readOnly(['null', 'string'], 'Algorithm to calculate the os_hash_value'),
  os_hash_value: readOnly(['null', 'string'], 'Hexdigest of the image contents using the algorithm specified by the os_hash_algo'),
  owner: writable(['null', 'string'], 'Owner of the image', { maxLength: 255 }),
  size: readOnly(['null', 'integer'], 'Size of image file in bytes'),
  virtual_size: readOnly(['null', 'integer'], 'Virtual size of image in bytes'),
  container_format: writable(['null', 'string'], 'Format of the container', { enum: [null, ...CONTAINER_FORMATS] }),
  disk_format: writable(['null', 'string'], 'Format of the disk', { enum: [null, ...DISK_FORMATS] }),
  min_disk: writable('integer', 'Amount of disk space (in GB) required to boot image.'),
  min_ram: writable('integer', 'Amount of ram (in MB) required to boot image.'),
  tags: writable('array', 'List of strings related to the image', { items: { type: 'string', maxLength: 255 } }),
  created_at: readOnly('string', 'Date and time of image registration'),
  updated_at: readOnly('string', 'Date and time of the last image modification'),
  self: readOnly('string', 'An image self url'),
  file: readOnly('string', 'An image file url'),
  schema: readOnly('string', 'An image schema url'),
};

const memberProperties = {
  member_id: writable('string', 'An identifier for the image member (tenantId)'),
  image_id: writable('string', 'An identifier for the image'),
  created_at: writable('string', 'Date and time of image member creation'),
  updated_at: writable('string', 'Date and time of last modification of image member'),
  status: writable('string', 'The status of this image member', { enum: ['pending', 'accepted', 'rejected'] }),
  schema: readOnly('string', 'The schema of this image member'),
};

const taskStubProperties = {
  id: readOnly('string', 'An identifier for the task'),
  type: { ...readOnly('string', 'The type of task represented by this content'), enum: ['import', 'api_image_import'] },
  status: { ...readOnly('string', 'The current status of this task'), enum: ['pending', 'processing', 'success', 'failure'] },
  owner: readOnly('string', 'An identifier for the owner of this task'),
  expires_at: readOnly(['null', 'string'], 'When this task goes'),
  created_at: readOnly('string', 'When this task was created'),
  updated_at: readOnly('string', 'When this task was changed last'),
  self: readOnly('string', 'The address of this task'),
  schema: readOnly('string', 'The schema of this task'),
};
const taskProperties = {
  ...taskStubProperties,
  input: writable(['null', 'object'], 'What the task needs to know'),
  result: readOnly(['null', 'object'], 'What became of the task'),
  message: readOnly('string', 'How far the task has come, or why it failed'),
  image_id: readOnly('string', 'The image that the task works on'),
  request_id: readOnly('string', 'The request that asked for the task'),
  user_id: readOnly('string', 'The user who asked for the task'),
};

const image = { name: 'image', properties: imageProperties, additionalProperties: { type: 'string' }, links: ['self', 'enclosure', 'describedby'].map((rel) => ({ rel, href: `{${rel === 'self' ? 'self' : rel === 'enclosure' ? 'file' : 'schema'}}` })) };
const member = { name: 'member', properties: memberProperties };

function listOf(name: string, of: object): object {
  return {
    name,
    properties: { [name]: { type: 'array', items: of }, first: { type: 'string' }, next: { type: 'string' }, schema: { type: 'string' } },
    links: [{ rel: 'first', href: '{first}' }, { rel: 'next', href: '{next}' }, { rel: 'describedby', href: '{schema}' }],
  };
}

const SCHEMAS: Record<string, object> = { image, images: listOf('images', image), member, members: listOf('members', member), task: { name: 'task', properties: taskProperties }, tasks: listOf('tasks', { name: 'task', properties: taskStubProperties }) };

export const schemaEndpoints = (): Endpoint[] =>
  Object.entries(SCHEMAS).map(([name, schema]) =>
    endpoint({ id: `schemas:${name}`, method: 'GET', path: `/v2/schemas/${name}`, summary: `JSON schema of ${name}`, policy: 'get_images', status: 200, handler: () => schema }),
  );
