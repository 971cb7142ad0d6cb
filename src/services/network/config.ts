import { Type, type Static } from 'typebox';

const quota = (value: number, what: string) =>
  Type.Integer({ default: value, minimum: -1, description: `${what} that a project may have; -1: any number.` });

/** `[network]` of the configuration file. */
export const NetworkSection = Type.Object(
  {
    mtu: Type.Integer({ default: 1500, minimum: 68, maximum: 65535, description: 'MTU of the physical networks; overlay networks get it less the tunnel header.' }),
    vni_min: Type.Integer({ default: 1, minimum: 1, maximum: 16_777_215, description: 'First VXLAN id for tenant networks.' }),
    vni_max: Type.Integer({ default: 16_777_215, minimum: 1, maximum: 16_777_215, description: 'Last VXLAN id for tenant networks.' }),
    base_mac: Type.String({ default: 'fa:16:3e', pattern: '^[0-9a-f][02468ace](:[0-9a-f]{2}){2}$', description: 'First three bytes of generated MAC addresses.' }),
    quota_network: quota(100, 'Networks'),
    quota_subnet: quota(100, 'Subnets'),
    quota_port: quota(500, 'Ports'),
    quota_security_group: quota(10, 'Security groups'),
    quota_security_group_rule: quota(100, 'Security group rules'),
    quota_router: quota(10, 'Routers'),
    quota_floatingip: quota(50, 'Floating IPs'),
  },
  { additionalProperties: false },
);

export type NetworkConfig = Static<typeof NetworkSection>;
