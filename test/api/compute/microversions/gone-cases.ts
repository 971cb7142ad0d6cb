import type { Cases } from './case.ts';

const GONE = 'removed from nova long ago: 410 at every version, which another test looks at';
const NO_BAREMETAL = 'a proxy of a service that this cloud has not: 501';
const NO_VOLUMES = 'a proxy of volumes, which come with their service';
const NO_SHARES = 'shared file systems are a service that this cloud has not';

const all = (reason: string, ...names: string[]): Cases => Object.fromEntries(names.map((name) => [name, reason]));

/** Samples of what is not there. */
export const goneCases: Cases = {
  ...all(
    GONE, 'consoles/consoles-get-resp', 'consoles/consoles-list-get-resp', 'os-agents/agent-post-resp', 'os-agents/agent-update-put-resp', 'os-agents/agents-get-resp',
    'os-cells/cells-capacities-resp', 'os-cells/cells-get-resp', 'os-cells/cells-list-resp', 'os-certificates/certificate-create-resp', 'os-certificates/certificate-get-root-resp',
    'os-cloudpipe/cloud-pipe-create-resp', 'os-cloudpipe/cloud-pipe-get-resp', 'os-fixed-ips/fixedips-get-resp', 'os-floating-ip-dns/floating-ip-dns-create-or-update-entry-resp',
    'os-floating-ip-dns/floating-ip-dns-create-or-update-resp', 'os-floating-ip-dns/floating-ip-dns-entry-get-resp', 'os-floating-ip-dns/floating-ip-dns-entry-list-resp',
    'os-floating-ip-dns/floating-ip-dns-list-resp', 'os-floating-ips-bulk/floating-ips-bulk-create-resp', 'os-floating-ips-bulk/floating-ips-bulk-delete-resp',
    'os-floating-ips-bulk/floating-ips-bulk-list-by-host-resp', 'os-floating-ips-bulk/floating-ips-bulk-list-resp', 'os-fping/fping-get-details-resp', 'os-fping/fping-get-resp',
    'os-networks/network-create-resp', 'os-security-group-default-rules/security-group-default-rules-create-resp',
    'os-security-group-default-rules/security-group-default-rules-list-resp', 'os-security-group-default-rules/security-group-default-rules-show-resp',
    'os-tenant-networks/networks-post-res', 'os-virtual-interfaces/vifs-list-resp', 'os-virtual-interfaces/vifs-list-resp-v2',
  ),
  ...all(NO_BAREMETAL, 'os-baremetal-nodes/baremetal-node-get-resp', 'os-baremetal-nodes/baremetal-node-list-resp'),
  ...all(
    NO_VOLUMES, 'os-snapshots/snapshot-create-resp', 'os-snapshots/snapshots-detail-resp', 'os-snapshots/snapshots-list-resp', 'os-snapshots/snapshots-show-resp',
    'os-volumes/os-volumes-detail-resp', 'os-volumes/os-volumes-get-resp', 'os-volumes/os-volumes-index-resp', 'os-volumes/os-volumes-post-resp',
    'os-volume_attachments/attach-volume-to-server-resp', 'os-volume_attachments/list-volume-attachments-resp',
    'os-volume_attachments/volume-attachment-detail-resp',
  ),
  ...all('no server has a volume that is a file of its node: 400', 'os-assisted-volume-snapshots/snapshot-create-assisted-resp'),
  ...all(
    NO_SHARES, 'os-server-shares/server-shares-admin-create-resp', 'os-server-shares/server-shares-admin-show-resp', 'os-server-shares/server-shares-create-resp',
    'os-server-shares/server-shares-list-resp', 'os-server-shares/server-shares-show-resp',
  ),
  ...all('the power of hosts is not managed here: 501', 'os-hosts/host-get-reboot', 'os-hosts/host-get-shutdown', 'os-hosts/host-get-startup', 'os-hosts/host-put-maintenance-resp'),
  ...all(
    'of the driver for quotas without limits, which answers for every resource alike', 'os-quota-sets-noop/quotas-show-defaults-get-resp', 'os-quota-sets-noop/quotas-show-detail-get-resp',
    'os-quota-sets-noop/quotas-show-get-resp', 'os-quota-sets-noop/quotas-update-force-post-resp', 'os-quota-sets-noop/quotas-update-post-resp',
    'os-quota-sets-noop/user-quotas-show-get-resp', 'os-quota-sets-noop/user-quotas-update-post-resp',
  ),
  ...all('of a cell that is down: the cloud has one database, without which nothing answers', 'servers/server-get-down-cell-resp'),
  ...all('the sample shows a file system of names, which no driver of nova has any more', 'os-preserve-ephemeral-rebuild/server-action-rebuild-preserve-ephemeral-resp'),
};
