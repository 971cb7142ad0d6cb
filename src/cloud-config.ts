/** The sections of gantry.toml: the kernel's and each service's own. */
import { type Config, coreSections } from './kernel/config/config.ts';
import { BlockStorageSection } from './services/block-storage/config.ts';
import { ComputeSection } from './services/compute/config.ts';
import { IdentitySection } from './services/identity/config.ts';
import { ImageSection } from './services/image/config.ts';
import { NetworkSection } from './services/network/config.ts';

export const serviceSections = { identity: IdentitySection, image: ImageSection, compute: ComputeSection, network: NetworkSection, block_storage: BlockStorageSection } as const;
export const allSections = { ...coreSections, ...serviceSections };
export type CloudConfig = Config<typeof serviceSections>;
