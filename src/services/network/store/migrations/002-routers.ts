import { sql, type ColumnDefinitionBuilder } from 'kysely';
import type { Migration } from '../../../../kernel/db/migrate.ts';

const key = (column: ColumnDefinitionBuilder): ColumnDefinitionBuilder => column.primaryKey();
const needed = (column: ColumnDefinitionBuilder): ColumnDefinitionBuilder => column.notNull();

export const routers: Migration = {
  service: 'network',
  number: 2,
  name: 'routers',
  async up(tx) {
    await tx.schema.createTable('network_routers')
      .addColumn('id', 'text', key).addColumn('project_id', 'text', needed).addColumn('name', 'text', needed).addColumn('description', 'text', needed)
      .addColumn('created_at', 'text', needed).addColumn('updated_at', 'text', needed).addColumn('revision_number', 'integer', needed)
      .addColumn('admin_state_up', 'integer', needed).addColumn('enable_snat', 'integer', needed)
      .addColumn('gw_port_id', 'text').addColumn('node_id', 'text').addColumn('host_id', 'text', needed)
      .addColumn('routes', 'text', needed).addColumn('availability_zone_hints', 'text', needed).execute();
    await tx.schema.createIndex('network_routers_project').on('network_routers').columns(['project_id', 'id']).execute();
    await tx.schema.createIndex('network_routers_name').on('network_routers').columns(['name', 'id']).execute();
    await tx.schema.createIndex('network_routers_node').on('network_routers').columns(['node_id', 'id']).execute();

    await tx.schema.createTable('network_router_ports')
      .addColumn('port_id', 'text', (column) => column.primaryKey().references('network_ports.id').onDelete('cascade'))
      .addColumn('router_id', 'text', (column) => column.notNull().references('network_routers.id'))
      .addColumn('port_type', 'text', needed).execute();
    await tx.schema.createIndex('network_router_ports_router').on('network_router_ports').column('router_id').execute();

    await tx.schema.createTable('network_floating_ips')
      .addColumn('id', 'text', key).addColumn('project_id', 'text', needed).addColumn('description', 'text', needed)
      .addColumn('created_at', 'text', needed).addColumn('updated_at', 'text', needed).addColumn('revision_number', 'integer', needed)
      .addColumn('floating_network_id', 'text', (column) => column.notNull().references('network_networks.id'))
      .addColumn('floating_ip_address', 'text', needed)
      .addColumn('floating_port_id', 'text', (column) => column.notNull().references('network_ports.id'))
      .addColumn('fixed_port_id', 'text', (column) => column.references('network_ports.id'))
      .addColumn('fixed_ip_address', 'text')
      .addColumn('router_id', 'text', (column) => column.references('network_routers.id'))
      .addColumn('status', 'text', needed).execute();
    await tx.schema.createIndex('network_floating_ips_project').on('network_floating_ips').columns(['project_id', 'id']).execute();
    await tx.schema.createIndex('network_floating_ips_network').on('network_floating_ips').columns(['floating_network_id', 'id']).execute();
    await tx.schema.createIndex('network_floating_ips_address').on('network_floating_ips').columns(['floating_ip_address', 'id']).execute();
    await tx.schema.createIndex('network_floating_ips_floating_port').on('network_floating_ips').column('floating_port_id').execute();
    await tx.schema.createIndex('network_floating_ips_fixed').unique().on('network_floating_ips').columns(['fixed_port_id', 'fixed_ip_address', 'floating_network_id'])
      .where(sql.ref('fixed_port_id'), 'is not', null).execute();
    await tx.schema.createIndex('network_floating_ips_router').on('network_floating_ips').columns(['router_id', 'id']).execute();
  },
};
