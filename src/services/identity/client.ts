import type { Auth } from '../../kernel/context.ts';

export interface ProjectInfo {
  id: string;
  name: string;
  domain_id: string;
  enabled: boolean;
}

export interface LimitQuestion {
  service: string;
  resource_name: string;
  project_id: string;
}

/** What identity offers the other services. */
export interface IdentityClient {
  /** The caller behind a token; undefined when it is unknown, expired, revoked, or its user or project is disabled. Cached. */
  authenticate(token: string): Promise<Auth | undefined>;
  findProject(id: string): Promise<ProjectInfo | undefined>;
  /**
   * How much of a resource a project may use, by unified limits: its own limit, else what is registered; undefined when nothing is
   * registered or it is unlimited (-1). Cached: ask before each use.
   * @param question `service`: type as in the catalog, `image`; `resource_name`: `image_size_total`
   */
  limitOf(question: LimitQuestion): Promise<number | undefined>;
  /** Called after a project's deletion has committed, so that services can forget what belonged to it. */
  onProjectDeleted(listener: (project_id: string) => void): void;
}
