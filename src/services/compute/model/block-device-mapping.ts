/** Block device mappings of a new server, old and new syntax, in one form (nova `block_device.py`, `compute/api.py` _validate_bdm). Pure. */
import { badRequest, type Fault } from '../../../kernel/fault.ts';
import { freeDevice, placeOfDevice } from './device-names.ts';

/** As the caller wrote it. */
export interface MappingInput {
  source_type?: string;
  destination_type?: string;
  uuid?: string;
  volume_id?: string;
  snapshot_id?: string;
  virtual_name?: string;
  boot_index?: number | string | null;
  device_name?: string;
  volume_size?: number | string;
  volume_type?: string | null;
  delete_on_termination?: boolean;
  guest_format?: string;
  no_device?: unknown;
  tag?: string;
}

/** A volume that the server is to have. */
export interface WantedVolume {
  source_type: 'volume' | 'image' | 'snapshot' | 'blank';
  /** Of the volume, the image or the snapshot; null: blank. */
  source_id: string | null;
  device: string;
  mount_path: string | null;
  /** Null: not to boot from. */
  boot_index: number | null;
  tag: string | null;
  volume_type: string | null;
  /** GiB; null: as its source is. */
  size: number | null;
  delete_on_termination: boolean;
}

const invalid = (details: string): Fault => badRequest('compute.mapping-invalid', `Block Device Mapping is Invalid: ${details}`);

/**
 * @param legacy the syntax before v2, to which the image is root by itself.
 * @throws Fault 400 in nova's words.
 */
export function wantedVolumes(mappings: readonly MappingInput[], image_id: string, legacy: boolean): WantedVolume[] {
  const asked = mappings.filter(({ no_device }) => no_device === undefined || no_device === null || no_device === false || no_device === '').map((one) => (legacy ? ofLegacy(one) : one));
  if (!legacy) checkMappings(asked, image_id);
  const devices = legacy && image_id === '' ? withRoot(asked) : asked;
  checkBootOrder(legacy && image_id !== '' ? [{ boot_index: 0 }, ...devices] : devices, devices.length === 0);
  const volumes = devices.filter((one) => !isLocalRoot(one));
  return named(volumes.map(wanted));
}

function ofLegacy(one: MappingInput): MappingInput {
  const { virtual_name: _name, boot_index: _index, ...rest } = one;
  if (one.snapshot_id !== undefined) return { ...rest, source_type: 'snapshot', destination_type: 'volume', uuid: one.snapshot_id };
  if (one.volume_id !== undefined) return { ...rest, source_type: 'volume', destination_type: 'volume', uuid: one.volume_id };
  throw /^(swap|ephemeral\d+)$/.test(one.virtual_name ?? '') ? localDisk() : invalid('Unrecognized legacy format.');
}

/** The one that is called so, or else the first one, is root. */
function withRoot(devices: readonly MappingInput[]): MappingInput[] {
  const found = devices.findIndex(({ device_name }) => /^(\/dev\/)?[a-z]+da$/.test(device_name ?? ''));
  return devices.map((one, index) => (index === Math.max(found, 0) ? { ...one, boot_index: 0 } : one));
}

const indexOf = ({ boot_index }: Pick<MappingInput, 'boot_index'>): number | null => (boot_index === undefined || boot_index === null || Number(boot_index) < 0 ? null : Number(boot_index));
const isLocalRoot = (one: MappingInput): boolean => one.source_type === 'image' && one.destination_type === 'local';
const localDisk = (): Fault => invalid('disks beside the root that live and die with the host cannot be given to a container; give it a volume.');

function checkMappings(devices: readonly MappingInput[], image_id: string): void {
  for (const one of devices) {
    const { source_type, destination_type, uuid, volume_type } = one;
    if (source_type === undefined) throw invalid('Some required fields are missing');
    if (source_type === 'blank' && uuid !== undefined) throw invalid('Invalid device UUID.');
    if (source_type !== 'blank' && uuid === undefined) throw invalid('Missing device UUID.');
    if (isLocalRoot(one) && !(image_id !== '' && uuid === image_id && indexOf(one) === 0)) throw invalid('Mapping image to local is not supported.');
    if (destination_type === 'local' && volume_type) throw invalid('Specifying a volume_type with destination_type=local is not supported.');
    if (source_type === 'volume' && volume_type) throw invalid('Specifying volume type to existing volume is not supported.');
    if (source_type === 'volume' && destination_type === 'local') throw invalid('a volume cannot be a local disk.');
    if (destination_type === 'local' && source_type !== 'image') throw localDisk();
  }
}

/** From 0 on, each once: the image counts as one when it is root. @param none nothing is mapped: the image is root. */
function checkBootOrder(devices: readonly Pick<MappingInput, 'boot_index'>[], none: boolean): void {
  const order = devices.map(indexOf).filter((index) => index !== null).sort((a, b) => a - b);
  if (!none && (order.length === 0 || order.some((index, at) => index !== at))) throw invalid('Boot sequence for the instance and image/block device mapping combination is not valid.');
}

type Unnamed = Omit<WantedVolume, 'device'> & { device: string | null };

function wanted(one: MappingInput): Unnamed {
  const source_type = one.source_type as WantedVolume['source_type'];
  const size = one.volume_size === undefined || one.volume_size === '' ? null : Number(one.volume_size);
  if (size === null || size === 0) {
    if (source_type === 'image') throw invalid("Images with destination_type 'volume' need to have a non-zero size specified");
    if (source_type === 'blank') throw invalid("Blank volumes (source: 'blank', dest: 'volume') need to have non-zero size");
  }
  const boot_index = indexOf(one);
  const place = placeOfDevice(one.device_name?.startsWith('/') === false && !/^x?[a-z]?d[a-z]+\d*$/.test(one.device_name) ? undefined : one.device_name);
  if (boot_index === 0 && place.mount_path !== null) throw invalid('what a server boots from is mounted at /, and nowhere else.');
  return {
    source_type, source_id: one.uuid ?? null, ...place, device: boot_index === 0 ? ROOT : place.device, boot_index, tag: one.tag ?? null, volume_type: one.volume_type ?? null,
    size: size === 0 ? null : size, delete_on_termination: one.delete_on_termination ?? false,
  };
}

const ROOT = '/dev/vda';

/** Who names none gets the first name that is free; the first one is the root's. */
function named(volumes: readonly Unnamed[]): WantedVolume[] {
  const taken = new Set([ROOT]);
  for (const { device, boot_index, mount_path, tag } of volumes) {
    if (device !== null && boot_index !== 0 && taken.has(device)) throw badRequest('compute.device-invalid', device === ROOT ? 'The volume cannot be assigned the same device name as the root device vda' : invalid(`${device} is named twice.`).message);
    if (device !== null) taken.add(device);
    if (mount_path !== null && volumes.filter((other) => other.mount_path === mount_path).length > 1) throw invalid(`${mount_path} is named twice.`);
    if (tag !== null && volumes.filter((other) => other.tag === tag).length > 1) throw invalid(`Tag '${tag}' is used more than once.`);
  }
  return volumes.map((volume) => {
    const device = volume.device ?? freeDevice(taken);
    if (device === undefined) throw invalid('You specified more local devices than the limit allows');
    taken.add(device);
    return { ...volume, device };
  });
}
