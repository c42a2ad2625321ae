import type { FastifyInstance } from 'fastify';

/** Which methods each path has, so that a wrong method can be told from an unknown path (the router knows one only). */
export class RouteTable {
  readonly #methodsByPath = new Map<string, Set<string>>();
  readonly #patterns: { pattern: RegExp; methods: Set<string> }[] = [];

  /** Must be called before routes are added. */
  watch(instance: FastifyInstance): void {
    instance.addHook('onRoute', (route) => {
      let methods = this.#methodsByPath.get(route.url);
      if (methods === undefined) {
        methods = new Set();
        this.#methodsByPath.set(route.url, methods);
        this.#patterns.push({ pattern: patternOf(route.url), methods });
      }
      for (const method of [route.method].flat()) methods.add(method);
    });
  }

  /** The methods that the path has; empty for an unknown path. */
  methodsOf(path: string): string[] {
    const methods = new Set<string>();
    for (const route of this.#patterns) {
      if (route.pattern.test(path)) for (const method of route.methods) methods.add(method);
    }
    return [...methods].sort();
  }
}

function patternOf(url: string): RegExp {
  const escaped = url.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll(/:[A-Za-z0-9_]+/g, '[^/]+').replaceAll('*', '.*')}$`);
}
