import { z } from 'zod';
import type { AccessAttributes, ClusterUser, KubernetesObject } from '../cluster.objects.js';
import type { ObjectStore } from './object.store.js';

const GROUP = 'rbac.authorization.k8s.io';
/** Whoever is in it may do everything, whatever the objects say. */
const MASTERS = 'system:masters';

const ruleSchema = z.object({
  verbs: z.array(z.string()),
  apiGroups: z.array(z.string()).optional(),
  resources: z.array(z.string()).optional(),
  resourceNames: z.array(z.string()).optional(),
  nonResourceURLs: z.array(z.string()).optional(),
});
const roleSchema = z.object({
  rules: z.array(ruleSchema).nullish(),
  aggregationRule: z
    .object({ clusterRoleSelectors: z.array(z.object({ matchLabels: z.record(z.string(), z.string()).optional() })) })
    .optional(),
});
const bindingSchema = z.object({
  roleRef: z.object({ kind: z.string(), name: z.string() }),
  subjects: z.array(z.object({ kind: z.string(), name: z.string(), namespace: z.string().optional() })).nullish(),
});

export type PolicyRule = z.infer<typeof ruleSchema>;
type Binding = z.infer<typeof bindingSchema>;

/** Answers from the Role, ClusterRole and binding objects that the cluster holds at this moment. */
export class RbacAuthorizer {
  constructor(private readonly store: ObjectStore) {}

  allows(user: ClusterUser, attributes: AccessAttributes): boolean {
    if (user.groups.includes(MASTERS)) return true;
    return this.rulesFor(user, attributes.namespace).some((rule) => ruleAllows(rule, attributes));
  }

  /** Everything that the user may do in a namespace; in the empty one only what holds for the whole cluster. */
  rulesFor(user: ClusterUser, namespace: string): PolicyRule[] {
    if (user.groups.includes(MASTERS))
      return [
        { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
        { verbs: ['*'], nonResourceURLs: ['*'] },
      ];
    const cluster = this.store
      .list(`clusterrolebindings.${GROUP}`)
      .flatMap((binding) => this.#rulesOf(binding, undefined, user));
    if (namespace === '') return cluster;
    return [
      ...cluster,
      ...this.store
        .list(`rolebindings.${GROUP}`, namespace)
        .flatMap((binding) => this.#rulesOf(binding, namespace, user)),
    ];
  }

  #rulesOf(object: KubernetesObject, namespace: string | undefined, user: ClusterUser): PolicyRule[] {
    const binding = bindingSchema.safeParse(object);
    if (!binding.success || !binds(binding.data, namespace, user)) return [];
    const { kind, name } = binding.data.roleRef;
    const role =
      kind === 'ClusterRole'
        ? this.store.get(`clusterroles.${GROUP}`, undefined, name)
        : this.store.get(`roles.${GROUP}`, namespace, name);
    return role === undefined ? [] : this.#roleRules(role);
  }

  #roleRules(role: KubernetesObject): PolicyRule[] {
    const parsed = roleSchema.safeParse(role);
    if (!parsed.success) return [];
    const aggregated = (parsed.data.aggregationRule?.clusterRoleSelectors ?? []).flatMap(({ matchLabels = {} }) =>
      this.store
        .list(`clusterroles.${GROUP}`)
        .filter((other) => other.metadata.name !== role.metadata.name && other.aggregationRule === undefined)
        .filter((other) => Object.entries(matchLabels).every(([key, value]) => other.metadata.labels?.[key] === value))
        .flatMap((other) => this.#roleRules(other)),
    );
    return [...(parsed.data.rules ?? []), ...aggregated];
  }
}

function binds(binding: Binding, namespace: string | undefined, user: ClusterUser): boolean {
  return (binding.subjects ?? []).some((subject) => {
    switch (subject.kind) {
      case 'User':
        return subject.name === user.name;
      case 'Group':
        return user.groups.includes(subject.name);
      case 'ServiceAccount':
        return user.name === `system:serviceaccount:${subject.namespace ?? namespace ?? ''}:${subject.name}`;
      default:
        return false;
    }
  });
}

const includes = (list: readonly string[] | undefined, value: string): boolean =>
  list !== undefined && (list.includes('*') || list.includes(value));

function ruleAllows(rule: PolicyRule, attributes: AccessAttributes): boolean {
  if (!includes(rule.verbs, attributes.verb)) return false;
  const path = attributes.nonResourcePath;
  if (path !== undefined)
    return (rule.nonResourceURLs ?? []).some(
      (url) => url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1))),
    );
  const { group, resource, subresource, name } = attributes;
  const combined = subresource === '' ? resource : `${resource}/${subresource}`;
  return (
    includes(rule.apiGroups, group) &&
    (includes(rule.resources, combined) ||
      (subresource !== '' && rule.resources?.includes(`*/${subresource}`) === true)) &&
    (rule.resourceNames === undefined || rule.resourceNames.length === 0 || rule.resourceNames.includes(name))
  );
}
