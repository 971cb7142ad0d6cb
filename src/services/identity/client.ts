import type { Auth } from '../../kernel/context.ts';

export interface ProjectInfo {
  id: string;
  name: string;
  domain_id: string;
  enabled: boolean;
}

/** Without a project: the user's default one, if there is any. */
export type Login =
  | { user: { name: string; domain_id: string }; password: string; project_id?: string | undefined }
  | { application_credential_id: string; secret: string }
  /** Goes on with a token, in another project. */
  | { token: string; project_id: string };

export interface LimitQuestion {
  service: string;
  resource_name: string;
  project_id: string;
}

/** What identity offers the other services. */
export interface IdentityClient {
  /** The caller behind a token; undefined when it is unknown, expired, revoked, or its user or project is disabled. Cached. */
  authenticate(token: string): Promise<Auth | undefined>;
  /**
   * Checks a user's password or the secret of an application credential, slower after every wrong one. Undefined: refused, whatever the reason.
   */
  logIn(login: Login): Promise<{ token: string; auth: Auth } | undefined>;
  findProject(id: string): Promise<ProjectInfo | undefined>;
  findProjectByName(name: string, domain_id: string): Promise<ProjectInfo | undefined>;
  /**
   * How much of a resource a project may use, by unified limits: its own limit, else what is registered; undefined when nothing is
   * registered or it is unlimited (-1). Cached: ask before each use.
   * @param question `service`: type as in the catalog, `image`; `resource_name`: `image_size_total`
   */
  limitOf(question: LimitQuestion): Promise<number | undefined>;
  /** Called after a project's deletion has committed, so that services can forget what belonged to it. */
  onProjectDeleted(listener: (project_id: string) => void): void;
}
