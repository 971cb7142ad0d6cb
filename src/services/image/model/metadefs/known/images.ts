/** What images say of themselves. */
import { choice, define, type Definition, onImages, text } from './define.ts';

const UUID = { pattern: '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$' };
const os_distro = text('Distribution', 'Common name of the operating system, in small letters: debian, fedora, alpine.');
const os_version = text('Version', 'Version of the operating system, as its maker numbers it.');

export const imageDefinitions: Definition[] = [
  define('OS::Glance::CommonImageProperties', 'Common image properties', 'Properties that many images have and many tools read.', {
    properties: {
      os_distro,
      os_version,
      architecture: text('Architecture', 'Processor architecture that the image is for, such as x86_64 or aarch64.'),
      description: text('Description', 'What the image is, for people.'),
      kernel_id: text('Kernel', 'Id of the image that holds the kernel, for images in parts.', UUID),
      ramdisk_id: text('Initial file system', 'Id of the image that holds the initial file system, for images in parts.', UUID),
      instance_uuid: text('Server', 'Id of the server of which the image is a snapshot.'),
      hw_cpu_mode: text('CPU mode', 'Which processor model the guest is shown, on hosts that can choose.'),
      cinder_encryption_key_id: text('Encryption key', 'Id of the key with which the volume was encrypted that the image was made from.'),
      cinder_encryption_key_deletion_policy: choice('Encryption key at deletion', 'Whether the key goes when the image goes.', 'on_image_deletion', 'do_not_delete'),
    },
  }),
  define('OS::OperatingSystem', 'Operating system', 'Which operating system is in the image.', {
    resource_type_associations: onImages,
    properties: { os_distro, os_version, os_admin_user: text('Administrator', 'Name of the user who administrates the system: root, debian, Administrator.') },
  }),
  define('OS::Glance::Signatures', 'Image signature', 'With which an image is verified when its data arrive.', {
    resource_type_associations: [{ name: 'OS::Glance::Image' }], protected: false,
    properties: {
      img_signature: text('Signature', 'Signature of the data, in base64.'),
      img_signature_certificate_uuid: text('Certificate', 'Id of the certificate that the signature is verified with.'),
      img_signature_hash_method: choice('Hash', 'Hash over which the signature was made.', 'SHA-224', 'SHA-256', 'SHA-384', 'SHA-512'),
      img_signature_key_type: choice('Key type', 'Kind of the key that signed.', 'RSA-PSS', 'DSA', 'ECC_SECT571K1', 'ECC_SECT409K1', 'ECC_SECT571R1', 'ECC_SECT409R1', 'ECC_SECP521R1', 'ECC_SECP384R1'),
    },
  }),
];
