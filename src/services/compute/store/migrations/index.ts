import type { Migration } from '../../../../kernel/db/migrate.ts';
import { first } from './001-first.ts';
import { keypairNumbers } from './002-keypair-numbers.ts';
import { quotaClasses } from './003-quota-classes.ts';
import { aggregates } from './004-aggregates.ts';
import { nodeNumbers } from './005-node-numbers.ts';
import { consoleTokens } from './006-console-tokens.ts';
import { serverPasswords } from './007-server-passwords.ts';
import { guestSettings } from './008-guest-settings.ts';
import { serverMigrations } from './009-migrations.ts';
import { serversByName } from './010-servers-by-name.ts';
import { blockDevices } from './012-block-devices.ts';
import { shelved } from './011-shelved.ts';

export const migrations: Migration[] = [first, keypairNumbers, quotaClasses, aggregates, nodeNumbers, consoleTokens, serverPasswords, guestSettings, serverMigrations, serversByName, shelved, blockDevices];
