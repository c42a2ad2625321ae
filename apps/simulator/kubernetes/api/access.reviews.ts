import { isJsonObject, type JsonObject, jsonText } from '#libs/kernel/json.js';
import type { AccessAttributes, ClusterUser } from '../cluster.objects.js';
import type { AccessControl } from './access.control.js';
import { KubernetesStatusError } from './kubernetes-status.error.js';

const text = (object: JsonObject, key: string): string => (typeof object[key] === 'string' ? object[key] : '');
const member = (object: JsonObject, key: string): JsonObject => (isJsonObject(object[key]) ? object[key] : {});

/** Answers the kinds that are questions: nothing of them is stored. */
export class AccessReviews {
  constructor(
    private readonly access: AccessControl,
    private readonly now: () => string,
  ) {}

  /**
   * @param review the object as it was posted
   * @returns it with its answer
   */
  answer(review: JsonObject, user: ClusterUser, namespace: string | undefined): JsonObject {
    const spec = member(review, 'spec');
    switch (review.kind) {
      case 'SelfSubjectAccessReview':
        return this.#answered(review, spec, this.#decision(user, spec));
      case 'SubjectAccessReview':
      case 'LocalSubjectAccessReview': {
        if (
          review.kind === 'LocalSubjectAccessReview' &&
          text(member(spec, 'resourceAttributes'), 'namespace') !== namespace
        )
          throw KubernetesStatusError.badRequest(
            `spec.resourceAttributes.namespace must match namespace: ${namespace ?? ''}`,
          );
        const groups = Array.isArray(spec.groups) ? spec.groups.map(String) : [];
        return this.#answered(review, spec, this.#decision({ name: text(spec, 'user'), groups }, spec));
      }
      case 'SelfSubjectRulesReview':
        return this.#answered(review, {}, this.#rules(user, text(spec, 'namespace')));
      case 'SelfSubjectReview':
        return {
          kind: 'SelfSubjectReview',
          apiVersion: review.apiVersion ?? '',
          metadata: { creationTimestamp: this.now() },
          status: { userInfo: { username: user.name, groups: [...user.groups] } },
        };
      case 'TokenReview': {
        const found = this.access.findUser(text(spec, 'token'));
        return this.#answered(
          review,
          spec,
          found === undefined
            ? { user: {}, error: '[invalid bearer token]' }
            : { authenticated: true, user: { username: found.name, groups: [...found.groups] } },
        );
      }
      default:
        throw KubernetesStatusError.badRequest(`${jsonText(review.kind)} is no review`);
    }
  }

  #answered(review: JsonObject, spec: JsonObject, status: JsonObject): JsonObject {
    return {
      kind: review.kind ?? '',
      apiVersion: review.apiVersion ?? '',
      metadata: { ...member(review, 'metadata'), creationTimestamp: null },
      spec,
      status,
    };
  }

  #decision(user: ClusterUser, spec: JsonObject): JsonObject {
    const decision = this.access.decide(user, attributesOf(spec));
    return { allowed: decision.allowed, ...(decision.reason === '' ? {} : { reason: decision.reason }) };
  }

  #rules(user: ClusterUser, namespace: string): JsonObject {
    const rules = this.access.rulesFor(user, namespace);
    return {
      resourceRules: rules
        .filter((rule) => rule.resources !== undefined)
        .map(({ verbs, apiGroups = [], resources = [], resourceNames }) => ({
          verbs,
          apiGroups,
          resources,
          ...(resourceNames === undefined ? {} : { resourceNames }),
        })),
      nonResourceRules: rules.flatMap(({ verbs, nonResourceURLs }) =>
        nonResourceURLs === undefined ? [] : [{ verbs, nonResourceURLs }],
      ),
      incomplete: false,
    };
  }
}

function attributesOf(spec: JsonObject): AccessAttributes {
  const resource = member(spec, 'resourceAttributes');
  const other = isJsonObject(spec.nonResourceAttributes) ? spec.nonResourceAttributes : undefined;
  return {
    verb: text(other ?? resource, 'verb'),
    group: text(resource, 'group'),
    resource: text(resource, 'resource'),
    subresource: text(resource, 'subresource'),
    namespace: text(resource, 'namespace'),
    name: text(resource, 'name'),
    nonResourcePath: other === undefined ? undefined : text(other, 'path'),
  };
}
