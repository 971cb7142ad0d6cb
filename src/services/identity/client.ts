import type { Auth } from '../../kernel/context.ts';

export interface ProjectInfo {
  id: string;
  name: string;
  domain_id: string;
  enabled: boolean;
}

/** What identity offers the other services. */
export interface IdentityClient {
  /** The caller behind a token; undefined when it is unknown, expired, revoked, or its user or project is disabled. Cached. */
  authenticate(token: string): Promise<Auth | undefined>;
  findProject(id: string): Promise<ProjectInfo | undefined>;
  /** Called after a project's deletion has committed, so that services can forget what belonged to it. */
  onProjectDeleted(listener: (project_id: string) => void): void;
}
