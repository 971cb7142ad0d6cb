/** An agent that attaches and detaches a volume without end, until it is killed. Told by one argument: JSON of `Told`. */
import { createDockerDriver } from '../../../src/agents/compute/drivers/docker/index.ts';
import type { GuestVolume } from '../../../src/agents/compute/protocol.ts';
import { createFileVolumeDriver } from '../../../src/agents/volume/drivers/file/index.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';

export interface Told {
  socket_path: string;
  cloud: string;
  state_dir: string;
  volumes_dir: string;
  server_id: string;
  volume: GuestVolume;
}

async function never(): Promise<never> {
  throw new Error('not asked for in this test');
}

const { socket_path, cloud, state_dir, volumes_dir, server_id, volume } = JSON.parse(process.argv[2]!) as Told;
const volumes = createFileVolumeDriver({ dir: volumes_dir, chunk: never, writeImage: never });
const driver = createDockerDriver({ socket_path, cloud, state_dir, volumes, network: { plug: never, unplug: never }, image_store: { archive: never }, log: silentLog, clock: systemClock });
await driver.ready;
process.stdout.write('ready\n');
for (;;) {
  await driver.attachVolume(server_id, volume);
  await driver.detachVolume(server_id, volume.volume_id, false);
}
