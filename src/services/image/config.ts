import { type Static, Type } from 'typebox';

const STORE_NAME = '^[a-z][a-z0-9_-]{0,62}$';

/** `[image]` of the configuration. */
export const ImageSection = Type.Object(
  {
    max_size_gb: Type.Integer({ default: 64, minimum: 1, description: 'Largest image that may be uploaded, in GiB.' }),
    max_properties: Type.Integer({ default: 128, minimum: 0, description: 'Custom properties per image.' }),
    max_tags: Type.Integer({ default: 128, minimum: 0, description: 'Tags per image.' }),
    max_members: Type.Integer({ default: 128, minimum: 0, description: 'Members per image.' }),
    page_size: Type.Integer({ default: 25, minimum: 1, description: 'Images of a page when the caller names no limit.' }),
    max_page_size: Type.Integer({ default: 1000, minimum: 1, description: 'Most images of one page.' }),
    convert_disks: Type.Boolean({ default: true, description: 'Turn disk images (bare, qcow2 or raw) into what servers can boot: a compute node mounts the file systems on them, read-only.' }),
    max_disk_gb: Type.Integer({ default: 256, minimum: 1, description: 'Largest virtual size, in GiB, of a disk image that is converted.' }),
    max_root_gb: Type.Integer({ default: 32, minimum: 1, description: 'Largest root file system, in GiB, that is taken out of a disk image.' }),
    convert_seconds: Type.Integer({ default: 1800, minimum: 1, description: 'Seconds that the conversion of a disk image may take.' }),
    store_name: Type.String({ default: 'local', pattern: STORE_NAME, description: 'What the API calls the store that keeps image data unless another is asked for.' }),
    store: Type.Union([Type.Literal('file'), Type.Literal('s3')], { default: 'file', description: 'Where image data are kept: `file`, below the data directory, or `s3`, a bucket of an S3-compatible store.' }),
    s3_endpoint: Type.String({ default: '', description: 'Address of the S3-compatible store, as `https://host:port`.' }),
    s3_region: Type.String({ default: 'us-east-1', description: 'Region that requests to it are signed for.' }),
    s3_bucket: Type.String({ default: '', description: 'Bucket for the image data; it has to be there.' }),
    s3_prefix: Type.String({ default: '', pattern: '^([^/].*/)?$', description: 'Put before the name of every object; ends with a slash.' }),
    s3_access_key: Type.String({ default: '', description: 'Access key of the store.' }),
    s3_secret_key: Type.String({ default: '', description: 'Secret key of the store.' }),
    more_stores: Type.Array(Type.String({ pattern: '^[a-z][a-z0-9_-]{0,62}=/.+$' }), { default: [], description: 'Further stores that images can be imported or copied to, each as `name=/folder`.' }),
    garbage_grace: Type.Integer({ default: 3600, minimum: 1, description: 'Seconds for which bytes that no image names any more are kept, and uploads that nobody goes on with.' }),
    garbage_interval: Type.Integer({ default: 300, minimum: 1, description: 'Seconds between two collections of such bytes.' }),
    max_blob_uploads: Type.Integer({ default: 256, minimum: 1, description: 'Blobs that a project may have begun to push and not ended; what nobody goes on with ends after `garbage_grace`.' }),
    registry_anonymous_pull: Type.Boolean({ default: false, description: 'Whether public images can be pulled and searched from the registry without a login.' }),
    task_hours: Type.Integer({ default: 48, minimum: 1, description: 'Hours that a task of the image API is shown after its end.' }),
    import_allowed_hosts: Type.Array(Type.String({ minLength: 1 }), { default: [], description: 'Host names, addresses and networks (CIDR) that images may be imported from although they are private, loopback or the like.' }),
    import_allowed_ports: Type.Array(Type.Integer({ minimum: 1, maximum: 65535 }), { default: [80, 443], description: 'Ports that images may be imported from.' }),
    import_minutes: Type.Integer({ default: 120, minimum: 1, description: 'Longest that the download of an import may take.' }),
    import_plain_registries: Type.Array(Type.String({ minLength: 1 }), { default: [], description: 'Docker registries, as `host:port`, that are spoken to without TLS.' }),
    certificates_dir: Type.String({ default: '', description: 'Folder with the certificates that signed images name, each as `<uuid>.pem`. Default: none, and signed images are refused.' }),
  },
  { additionalProperties: false },
);

export type ImageConfig = Static<typeof ImageSection>;
