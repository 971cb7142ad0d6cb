import type { Migration } from '../../../../kernel/db/migrate.ts';
import { core } from './001-core.ts';
import { extensions } from './002-extensions.ts';
import { limits } from './003-limits.ts';
import { domainConfig } from './004-domain-config.ts';
import { oauth1 } from './005-oauth1.ts';
import { policyAssociations } from './006-policy-associations.ts';
import { federation } from './007-federation.ts';
import { passwordRules } from './008-password-rules.ts';
import { revocationEvents } from './009-revocation-events.ts';

export const migrations: Migration[] = [core, extensions, limits, domainConfig, oauth1, policyAssociations, federation, passwordRules, revocationEvents];
