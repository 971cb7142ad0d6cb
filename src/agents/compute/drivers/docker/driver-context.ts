import type { Clock } from '../../../../kernel/clock.ts';
import type { Log } from '../../../../kernel/log/log.ts';
import type { NetworkDriver } from '../../../network/protocol.ts';
import type { ConfigDrives } from './config-drives.ts';
import type { Disks } from './disks.ts';
import type { Engine } from './engine.ts';
import type { GuestNotes } from './guest-notes.ts';
import type { Images } from './images.ts';
import type { MadeContainers } from './made-containers.ts';
import type { MoveTransport } from './move-layer.ts';
import type { OldRoots } from './old-roots.ts';
import type { NetnsLinks } from './netns-links.ts';
import type { Views } from './views.ts';
import type { Volumes } from './volumes.ts';

/** What every part of the driver works with. */
export interface DriverContext {
  engine: Engine;
  /** Value of the label `gantry.cloud` and prefix of container names. */
  cloud: string;
  network: Pick<NetworkDriver, 'plug' | 'unplug'>;
  images: Images;
  made: MadeContainers;
  links: NetnsLinks;
  notes: GuestNotes;
  disks: Disks;
  oldRoots: OldRoots;
  views: Views;
  volumes: Volumes;
  drives: ConfigDrives;
  moves: MoveTransport | undefined;
  log: Log;
  clock: Clock;
}
