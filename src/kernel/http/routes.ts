import type { Endpoint, Method } from '../api/endpoint.ts';
import type { Surface } from '../service.ts';

/** All endpoints that share one path. */
export interface Route {
  surface: Surface;
  /** In our notation: `/v2.1/servers/{server_id}`. */
  path: string;
  methods: Map<Method, Endpoint[]>;
}

/** Groups a surface's endpoints by path; refuses declarations that could answer the same call. */
export function routesOf(surface: Surface): Route[] {
  const routes = new Map<string, Route>();
  const ids = new Set<string>();
  for (const endpoint of surface.endpoints) {
    if (ids.has(endpoint.id)) throw new Error(`${surface.name}: two endpoints are called ${endpoint.id}`);
    ids.add(endpoint.id);
    const shape = endpoint.path.replaceAll(/\{[^}]+\}/g, '{}');
    const route: Route = routes.get(shape) ?? { surface, path: endpoint.path, methods: new Map() };
    routes.set(shape, route);
    const variants = route.methods.get(endpoint.method) ?? [];
    const rival = variants.find((other) => other.action === endpoint.action && overlap(other, endpoint));
    if (rival) throw new Error(`${surface.name}: ${rival.id} and ${endpoint.id} answer the same call`);
    if (route.path !== endpoint.path) throw new Error(`${surface.name}: ${endpoint.id} names the parameters of ${route.path} otherwise`);
    route.methods.set(endpoint.method, [...variants, endpoint]);
  }
  return [...routes.values()];
}

function overlap(a: Endpoint, b: Endpoint): boolean {
  return (a.since ?? 0) <= (b.until ?? Infinity) && (b.since ?? 0) <= (a.until ?? Infinity);
}

/** The methods that a path answers to, as an Allow header. */
export function allow(route: Route): string {
  const methods = new Set<string>(route.methods.keys());
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods].join(', ');
}

/** `{name}` → `:name`, as the router wants it; `{name*}` takes the rest of the path. */
export function routerPath(prefix: string, path: string): string {
  return (prefix + path).replaceAll(/\{[^}*]+\*\}/g, '*').replaceAll(/\{([^}]+)\}/g, ':$1') || '/';
}
