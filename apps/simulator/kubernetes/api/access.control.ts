import type { AccessAttributes, AccessDecision, ClusterSecurity, ClusterUser } from '../cluster.objects.js';
import { KubernetesStatusError } from './kubernetes-status.error.js';
import type { PolicyRule, RbacAuthorizer } from './rbac.authorizer.js';
import type { ServiceAccountTokens } from './service-account.tokens.js';

const ANONYMOUS = 'system:anonymous';
const AUTHENTICATED = 'system:authenticated';

/** Who a caller is and what they may do: the cluster's own RBAC first, then whoever made the cluster. */
export class AccessControl {
  constructor(
    private readonly security: ClusterSecurity,
    private readonly rbac: RbacAuthorizer,
    private readonly tokens: ServiceAccountTokens,
  ) {}

  /** @throws KubernetesStatusError 401 */
  authenticate(token: string | undefined): ClusterUser {
    const user = this.findUser(token);
    if (user === undefined) throw KubernetesStatusError.unauthorized();
    return user;
  }

  findUser(token: string | undefined): ClusterUser | undefined {
    const account = token === undefined ? undefined : this.tokens.authenticate(token);
    const user = account ?? this.security.authenticate(token);
    if (user === undefined) return undefined;
    if (user.name === ANONYMOUS || user.groups.includes(AUTHENTICATED)) return user;
    return { ...user, groups: [...user.groups, AUTHENTICATED] };
  }

  decide(user: ClusterUser, attributes: AccessAttributes): AccessDecision {
    if (this.rbac.allows(user, attributes)) return { allowed: true, reason: '' };
    return this.security.authorize?.(user, attributes) ?? { allowed: false, reason: '' };
  }

  rulesFor(user: ClusterUser, namespace: string): PolicyRule[] {
    return this.rbac.rulesFor(user, namespace);
  }

  /** @throws KubernetesStatusError 403 */
  demand(user: ClusterUser, attributes: AccessAttributes): void {
    const decision = this.decide(user, attributes);
    if (decision.allowed) return;
    const { group, resource, name } = attributes;
    const message = refusal(user, attributes);
    throw KubernetesStatusError.forbidden(
      { group, resource },
      name,
      decision.reason === '' ? message : `${message}: ${decision.reason}`,
    );
  }
}

function refusal(user: ClusterUser, attributes: AccessAttributes): string {
  const { verb, group, resource, subresource, namespace, nonResourcePath } = attributes;
  const who = `User ${JSON.stringify(user.name)} cannot ${verb}`;
  if (nonResourcePath !== undefined) return `${who} path ${JSON.stringify(nonResourcePath)}`;
  const what = JSON.stringify(subresource === '' ? resource : `${resource}/${subresource}`);
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  return `${who} resource ${what} in API group ${JSON.stringify(group)} ${where}`;
}
