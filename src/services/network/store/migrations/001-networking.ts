import { sql, type CreateTableBuilder, type Kysely } from 'kysely';
import type { Migration } from '../../../../kernel/db/migrate.ts';

type Table = CreateTableBuilder<any, any>;

const standard = (table: Table, named = true): Table => {
  const columns = ['project_id', ...(named ? ['name'] : []), 'description', 'created_at', 'updated_at'];
  const keyed = table.addColumn('id', 'text', (column) => column.primaryKey());
  return columns
    .reduce((each: Table, name) => each.addColumn(name, 'text', (column) => column.notNull()), keyed)
    .addColumn('revision_number', 'integer', (column) => column.notNull());
};

const needed = (table: Table, type: 'text' | 'integer', ...names: string[]): Table =>
  names.reduce((each: Table, name) => each.addColumn(name, type, (column) => column.notNull()), table);

const optional = (table: Table, type: 'text' | 'integer', ...names: string[]): Table =>
  names.reduce((each: Table, name) => each.addColumn(name, type), table);

const refer = (table: Table, name: string, to: string, cascade: boolean, nullable = false): Table =>
  table.addColumn(name, 'text', (column) => {
    const referring = (nullable ? column : column.notNull()).references(to);
    return cascade ? referring.onDelete('cascade') : referring;
  });

async function networks(tx: Kysely<any>): Promise<void> {
  let table = standard(tx.schema.createTable('network_networks'));
  table = needed(table, 'integer', 'admin_state_up', 'shared', 'external', 'is_default', 'mtu', 'port_security_enabled', 'zone');
  table = needed(table, 'text', 'network_type', 'availability_zone_hints');
  await optional(optional(table, 'text', 'physical_network'), 'integer', 'segmentation_id').execute();
  await tx.schema.createIndex('network_networks_project').on('network_networks').columns(['project_id', 'id']).execute();
  await tx.schema.createIndex('network_networks_name').on('network_networks').columns(['name', 'id']).execute();
  await tx.schema.createIndex('network_networks_zone').unique().on('network_networks').column('zone').execute();
  // Null parts never clash: the segment of a vxlan has no physical network, that of a flat one no id.
  await tx.schema.createIndex('network_networks_segment').unique().on('network_networks').expression(sql`network_type, coalesce(physical_network, ''), segmentation_id`).where(sql.ref('segmentation_id'), 'is not', null).execute();
  await tx.schema.createIndex('network_networks_flat').unique().on('network_networks').column('physical_network').where(sql.ref('network_type'), '=', sql.lit('flat')).execute();
  await tx.schema.createIndex('network_networks_shared').on('network_networks').columns(['shared', 'id']).execute();
  await tx.schema.createIndex('network_networks_external').on('network_networks').columns(['external', 'id']).execute();
}

async function subnets(tx: Kysely<any>): Promise<void> {
  let table = refer(standard(tx.schema.createTable('network_subnets')), 'network_id', 'network_networks.id', false);
  table = needed(table, 'integer', 'ip_version', 'enable_dhcp');
  table = needed(table, 'text', 'cidr', 'allocation_pools', 'dns_nameservers', 'host_routes');
  await optional(table, 'text', 'gateway_ip', 'ipv6_ra_mode', 'ipv6_address_mode').execute();
  await tx.schema.createIndex('network_subnets_network').on('network_subnets').columns(['network_id', 'id']).execute();
  await tx.schema.createIndex('network_subnets_project').on('network_subnets').columns(['project_id', 'id']).execute();
  await tx.schema.createIndex('network_subnets_name').on('network_subnets').columns(['name', 'id']).execute();
}

async function ports(tx: Kysely<any>): Promise<void> {
  let table = refer(standard(tx.schema.createTable('network_ports')), 'network_id', 'network_networks.id', false);
  table = needed(table, 'text', 'mac_address', 'status', 'device_id', 'device_owner', 'host_id', 'vnic_type', 'profile', 'fixed_ips', 'security_groups', 'allowed_address_pairs', 'extra_dhcp_opts', 'tags', 'shown', 'shown_binding');
  table = needed(table, 'integer', 'admin_state_up', 'port_security_enabled', 'made_for_server', 'nic_index', 'plugged');
  await optional(table, 'text', 'node_id', 'nic_tag').addUniqueConstraint('network_ports_mac', ['network_id', 'mac_address']).execute();
  for (const column of ['project_id', 'network_id', 'device_id', 'name', 'mac_address']) {
    await tx.schema.createIndex(`network_ports_by_${column}`).on('network_ports').columns([column, 'id']).execute();
  }
  await tx.schema.createIndex('network_ports_by_node').on('network_ports').columns(['node_id', 'network_id']).where(sql.ref('node_id'), 'is not', null).execute();

  const addresses = refer(tx.schema.createTable('network_addresses'), 'subnet_id', 'network_subnets.id', false);
  await needed(needed(addresses, 'text', 'ip_address', 'port_id', 'network_id'), 'integer', 'position').addPrimaryKeyConstraint('network_addresses_pk', ['subnet_id', 'ip_address']).execute();
  await tx.schema.createIndex('network_addresses_port').on('network_addresses').column('port_id').execute();
  await tx.schema.createIndex('network_addresses_ip').on('network_addresses').column('ip_address').execute();
}

async function securityGroups(tx: Kysely<any>): Promise<void> {
  await needed(standard(tx.schema.createTable('network_security_groups')), 'integer', 'stateful').execute();
  await tx.schema.createIndex('network_security_groups_project').on('network_security_groups').columns(['project_id', 'id']).execute();
  await tx.schema.createIndex('network_security_groups_name').on('network_security_groups').columns(['name', 'id']).execute();
  await refer(tx.schema.createTable('network_default_security_groups').addColumn('project_id', 'text', (column) => column.primaryKey()), 'security_group_id', 'network_security_groups.id', true).execute();
  await tx.schema.createIndex('network_default_security_groups_group').on('network_default_security_groups').column('security_group_id').execute();

  let rules = refer(standard(tx.schema.createTable('network_security_group_rules'), false), 'security_group_id', 'network_security_groups.id', true);
  rules = refer(rules, 'remote_group_id', 'network_security_groups.id', true, true);
  rules = needed(rules, 'text', 'direction', 'ethertype', 'rule_key');
  await optional(optional(rules, 'text', 'protocol', 'remote_ip_prefix'), 'integer', 'port_range_min', 'port_range_max').addUniqueConstraint('network_security_group_rules_once', ['security_group_id', 'rule_key']).execute();
  await tx.schema.createIndex('network_security_group_rules_project').on('network_security_group_rules').columns(['project_id', 'id']).execute();
  await tx.schema.createIndex('network_security_group_rules_remote').on('network_security_group_rules').column('remote_group_id').execute();

  const bindings = refer(tx.schema.createTable('network_port_security_groups'), 'port_id', 'network_ports.id', true);
  await refer(bindings, 'security_group_id', 'network_security_groups.id', false).addPrimaryKeyConstraint('network_port_security_groups_pk', ['port_id', 'security_group_id']).execute();
  await tx.schema.createIndex('network_port_security_groups_group').on('network_port_security_groups').column('security_group_id').execute();
}

async function aside(tx: Kysely<any>): Promise<void> {
  await needed(tx.schema.createTable('network_tags'), 'text', 'resource_id', 'tag').addPrimaryKeyConstraint('network_tags_pk', ['resource_id', 'tag']).execute();
  await needed(needed(tx.schema.createTable('network_quotas'), 'text', 'project_id', 'resource'), 'integer', 'value').addPrimaryKeyConstraint('network_quotas_pk', ['project_id', 'resource']).execute();
  await needed(tx.schema.createTable('network_quota_locks').addColumn('project_id', 'text', (column) => column.primaryKey()), 'integer', 'turns').execute();
  await optional(needed(tx.schema.createTable('network_agents').addColumn('id', 'text', (column) => column.primaryKey()), 'integer', 'admin_state_up'), 'text', 'description').execute();
  await needed(tx.schema.createTable('network_node_generations').addColumn('node_id', 'text', (column) => column.primaryKey()), 'integer', 'generation').execute();
}

export const networking: Migration = {
  service: 'network',
  number: 1,
  name: 'networking',
  async up(tx) {
    await networks(tx);
    await subnets(tx);
    await ports(tx);
    await securityGroups(tx);
    await aside(tx);
  },
};
