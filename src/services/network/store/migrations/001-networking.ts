import { sql, type Kysely } from 'kysely';
import { foreign, id, integers, namedIndex, nullable, nullableIntegers, restricted, type Table, texts } from '../../../../kernel/db/columns.ts';
import type { Migration } from '../../../../kernel/db/migrate.ts';

const standard = (table: Table, named = true): Table =>
  integers(texts(id(table), 'project_id', ...(named ? ['name'] : []), 'description', 'created_at', 'updated_at'), 'revision_number');

async function networks(tx: Kysely<any>): Promise<void> {
  let table = standard(tx.schema.createTable('network_networks'));
  table = integers(table, 'admin_state_up', 'shared', 'external', 'is_default', 'mtu', 'port_security_enabled', 'zone');
  table = texts(table, 'network_type', 'availability_zone_hints');
  await nullableIntegers(nullable(table, 'physical_network'), 'segmentation_id').execute();
  await namedIndex(tx, 'network_networks', 'project', 'project_id', 'id');
  await namedIndex(tx, 'network_networks', 'name', 'name', 'id');
  await tx.schema.createIndex('network_networks_zone').unique().on('network_networks').column('zone').execute();
  // Null parts never clash: the segment of a vxlan has no physical network, that of a flat one no id.
  await tx.schema.createIndex('network_networks_segment').unique().on('network_networks').expression(sql`network_type, coalesce(physical_network, ''), segmentation_id`).where(sql.ref('segmentation_id'), 'is not', null).execute();
  await tx.schema.createIndex('network_networks_flat').unique().on('network_networks').column('physical_network').where(sql.ref('network_type'), '=', sql.lit('flat')).execute();
  await namedIndex(tx, 'network_networks', 'shared', 'shared', 'id');
  await namedIndex(tx, 'network_networks', 'external', 'external', 'id');
}

async function subnets(tx: Kysely<any>): Promise<void> {
  let table = restricted(standard(tx.schema.createTable('network_subnets')), 'network_id', 'network_networks');
  table = integers(table, 'ip_version', 'enable_dhcp');
  table = texts(table, 'cidr', 'allocation_pools', 'dns_nameservers', 'host_routes');
  await nullable(table, 'gateway_ip', 'ipv6_ra_mode', 'ipv6_address_mode').execute();
  await namedIndex(tx, 'network_subnets', 'network', 'network_id', 'id');
  await namedIndex(tx, 'network_subnets', 'project', 'project_id', 'id');
  await namedIndex(tx, 'network_subnets', 'name', 'name', 'id');
}

async function ports(tx: Kysely<any>): Promise<void> {
  let table = restricted(standard(tx.schema.createTable('network_ports')), 'network_id', 'network_networks');
  table = texts(table, 'mac_address', 'status', 'device_id', 'device_owner', 'host_id', 'vnic_type', 'profile', 'fixed_ips', 'security_groups', 'allowed_address_pairs', 'extra_dhcp_opts', 'tags', 'shown', 'shown_binding');
  table = integers(table, 'admin_state_up', 'port_security_enabled', 'made_for_server', 'nic_index', 'plugged');
  await nullable(table, 'node_id', 'nic_tag').addUniqueConstraint('network_ports_mac', ['network_id', 'mac_address']).execute();
  for (const column of ['project_id', 'network_id', 'device_id', 'name', 'mac_address']) {
    await tx.schema.createIndex(`network_ports_by_${column}`).on('network_ports').columns([column, 'id']).execute();
  }
  await tx.schema.createIndex('network_ports_by_node').on('network_ports').columns(['node_id', 'network_id']).where(sql.ref('node_id'), 'is not', null).execute();

  const addresses = restricted(tx.schema.createTable('network_addresses'), 'subnet_id', 'network_subnets');
  await integers(texts(addresses, 'ip_address', 'port_id', 'network_id'), 'position').addPrimaryKeyConstraint('network_addresses_pk', ['subnet_id', 'ip_address']).execute();
  await namedIndex(tx, 'network_addresses', 'port', 'port_id');
  await namedIndex(tx, 'network_addresses', 'ip', 'ip_address');
}

async function securityGroups(tx: Kysely<any>): Promise<void> {
  await integers(standard(tx.schema.createTable('network_security_groups')), 'stateful').execute();
  await namedIndex(tx, 'network_security_groups', 'project', 'project_id', 'id');
  await namedIndex(tx, 'network_security_groups', 'name', 'name', 'id');
  await foreign(id(tx.schema.createTable('network_default_security_groups'), 'project_id'), 'security_group_id', 'network_security_groups').execute();
  await namedIndex(tx, 'network_default_security_groups', 'group', 'security_group_id');

  let rules = foreign(standard(tx.schema.createTable('network_security_group_rules'), false), 'security_group_id', 'network_security_groups');
  rules = rules.addColumn('remote_group_id', 'text', (column) => column.references('network_security_groups.id').onDelete('cascade'));
  rules = texts(rules, 'direction', 'ethertype', 'rule_key');
  await nullableIntegers(nullable(rules, 'protocol', 'remote_ip_prefix'), 'port_range_min', 'port_range_max').addUniqueConstraint('network_security_group_rules_once', ['security_group_id', 'rule_key']).execute();
  await namedIndex(tx, 'network_security_group_rules', 'project', 'project_id', 'id');
  await namedIndex(tx, 'network_security_group_rules', 'remote', 'remote_group_id');

  const bindings = foreign(tx.schema.createTable('network_port_security_groups'), 'port_id', 'network_ports');
  await restricted(bindings, 'security_group_id', 'network_security_groups').addPrimaryKeyConstraint('network_port_security_groups_pk', ['port_id', 'security_group_id']).execute();
  await namedIndex(tx, 'network_port_security_groups', 'group', 'security_group_id');
}

async function aside(tx: Kysely<any>): Promise<void> {
  await texts(tx.schema.createTable('network_tags'), 'resource_id', 'tag').addPrimaryKeyConstraint('network_tags_pk', ['resource_id', 'tag']).execute();
  await integers(texts(tx.schema.createTable('network_quotas'), 'project_id', 'resource'), 'value').addPrimaryKeyConstraint('network_quotas_pk', ['project_id', 'resource']).execute();
  await integers(id(tx.schema.createTable('network_quota_locks'), 'project_id'), 'turns').execute();
  await nullable(integers(id(tx.schema.createTable('network_agents')), 'admin_state_up'), 'description').execute();
  await integers(id(tx.schema.createTable('network_node_generations'), 'node_id'), 'generation').execute();
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
