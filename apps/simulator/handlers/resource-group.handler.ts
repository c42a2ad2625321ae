import { ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import { isJsonObject } from '#libs/kernel/json.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { ArmError, invalidRequestContent, resourceGroupNotFound } from '../arm-error.js';
import { jsonBody } from '../arm-request.js';
import type { ArmAnswer, ArmRequest } from '../arm-request.js';
import type { AzureState } from '../azure.state.js';
import { objectAt, omit, pick, textAt } from '../json-merge.js';
import { listPage } from '../list.page.js';
import type { LongRunningOperation } from '../long-running-operation.store.js';
import type { ResourceEngine } from '../resource.engine.js';
import type { StoredResource } from '../resource.store.js';
import { GROUP_TYPE, LOCATIONS } from '../resource-type.registry.js';
import { signedQuery } from '../poll-url.signer.js';

/** As recorded for the deletion of a resource group. */
const DELETE_RETRY_AFTER_SECONDS = 15;

/** Resource groups: writes are immediate, deletion takes time and ends by a `Location` URL. */
export class ResourceGroupHandler {
  constructor(
    private readonly state: AzureState,
    private readonly engine: ResourceEngine,
  ) {}

  list(request: ArmRequest, subscriptionId: string): ArmAnswer {
    const keys = this.state.resources.ofSubscription(GROUP_TYPE, subscriptionId);
    const body = listPage(
      request,
      this.state.settings.pageSize,
      (after, limit) => keys.after(after, limit),
      (key) => render(this.state.resources.get(key)!),
    );
    return { status: 200, body };
  }

  handle(request: ArmRequest, subscriptionId: string, name: string): ArmAnswer {
    const group = this.state.group(subscriptionId, name);
    switch (request.method) {
      case 'GET':
        if (group === undefined) throw resourceGroupNotFound(name);
        return { status: 200, body: render(group) };
      case 'HEAD':
        return { status: group === undefined ? 404 : 204 };
      case 'PUT':
        return this.#put(request, subscriptionId, name, group);
      case 'PATCH':
        if (group === undefined) throw resourceGroupNotFound(name);
        return this.#patch(request, group);
      case 'DELETE':
        if (group === undefined) throw resourceGroupNotFound(name);
        return this.#delete(request, group);
      case 'POST':
        throw new ArmError(405, 'HttpMethodNotAllowed', 'The HTTP method POST is not allowed on a resource group.');
    }
  }

  /** Polls of a deletion: 202 until it is done. */
  poll(request: ArmRequest, operation: LongRunningOperation): ArmAnswer {
    return operation.state.status === 'InProgress'
      ? { status: 202, headers: this.#pollHeaders(request, operation) }
      : { status: 200 };
  }

  #put(request: ArmRequest, subscriptionId: string, name: string, existing: StoredResource | undefined): ArmAnswer {
    const id = ArmId.tryParse(`/subscriptions/${subscriptionId}/resourceGroups/${name}`);
    if (id === undefined) {
      throw new ArmError(
        400,
        'InvalidResourceGroup',
        `The provided resource group name '${name}' has these invalid characters or is longer than 90. ` +
          'The name can only be a letter, digit, "-", ".", "(", ")" or "_", and cannot end with a period.',
      );
    }
    const sent = checkedBody(request);
    const location = canonicalLocation(textAt(sent, 'location') ?? '');
    if (location === '') throw locationRequired();
    if (!LOCATIONS.has(location)) {
      throw new ArmError(
        400,
        'LocationNotAvailableForResourceGroup',
        `The provided location '${location}' is not available for resource group.`,
      );
    }
    if (existing !== undefined) {
      refuseManaged(existing);
      const present = textAt(existing.body, 'location');
      if (present !== location) {
        throw new ArmError(
          409,
          'InvalidResourceGroupLocation',
          `Invalid resource group location '${location}'. The Resource group already exists in location '${present}'.`,
        );
      }
    }
    const body: JsonObject = {
      ...omit(sent, ['properties']),
      location,
      properties: { provisioningState: 'Succeeded' },
    };
    const stored = this.engine.writeScope(id, body, request.principal, this.state.now);
    return { status: existing === undefined ? 201 : 200, body: render(stored) };
  }

  #patch(request: ArmRequest, group: StoredResource): ArmAnswer {
    refuseManaged(group);
    const sent = checkedBody(request);
    const body = { ...group.body, ...pick(sent, ['tags']) };
    return {
      status: 200,
      body: render(this.engine.writeScope(ArmId.parse(group.id), body, request.principal, this.state.now)),
    };
  }

  #delete(request: ArmRequest, group: StoredResource): ArmAnswer {
    refuseManaged(group);
    const running = this.state.operations.running(group.key)[0];
    const operation = running ?? this.#startDelete(request, group);
    return { status: 202, headers: this.#pollHeaders(request, operation) };
  }

  #startDelete(request: ArmRequest, group: StoredResource): LongRunningOperation {
    const id = ArmId.parse(group.id);
    const body = { ...group.body, properties: { provisioningState: 'Deleting' } };
    this.engine.writeScope(id, body, request.principal, this.state.now);
    return this.engine.start({
      target: id,
      rootKey: group.key,
      runningState: 'Deleting',
      location: textAt(group.body, 'location') ?? 'global',
      action: 'delete',
      seconds: this.state.settings.lroSeconds,
      settles: [group.key],
      finalState: 'Succeeded',
      removes: [group.key],
      merges: [],
      result: 'nothing',
      retryAfterSeconds: DELETE_RETRY_AFTER_SECONDS,
      runningNotice: undefined,
    });
  }

  #pollHeaders(request: ArmRequest, operation: LongRunningOperation): Record<string, string> {
    const job = { jobId: `RESOURCEGROUPDELETIONJOB-${operation.id}`, jobLocation: operation.location };
    const token = Buffer.from(JSON.stringify(job), 'utf8').toString('base64url');
    const seconds = this.state.settings.retryAfterSeconds ?? DELETE_RETRY_AFTER_SECONDS;
    return {
      location: `${request.baseUrl}/subscriptions/${operation.subscriptionId}/operationresults/${token}?${signedQuery(operation)}`,
      'retry-after': String(seconds),
    };
  }
}

/** The operation that a `Location` URL of a group's deletion stands for. */
export function operationOfToken(token: string): string | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (!isJsonObject(parsed)) return undefined;
  return textAt(parsed, 'jobId')?.replace(/^RESOURCEGROUPDELETIONJOB-/, '');
}

/** @throws ArmError where Azure protects what it made for a resource of its own. */
export function refuseManaged(
  group: StoredResource,
  action = 'Microsoft.Resources/subscriptions/resourceGroups/write',
): void {
  const assignment = textAt(group.body, 'denyAssignment');
  if (assignment === undefined) return;
  throw new ArmError(
    403,
    'DenyAssignmentAuthorizationFailed',
    `The client has permission to perform action '${action}' on scope '${group.id}'; however, the access is denied ` +
      `because of the deny assignment with name '${assignment}' at scope '${group.id}'.`,
    { gateway: true },
  );
}

export function locationRequired(): ArmError {
  return new ArmError(400, 'LocationRequired', 'The location property is required for this definition.', {
    gateway: true,
  });
}

function checkedBody(request: ArmRequest): JsonObject {
  const body = jsonBody(request);
  const known = ['id', 'name', 'type', 'location', 'tags', 'managedBy', 'properties'];
  const foreign = Object.keys(body).find((member) => !known.includes(member));
  if (foreign !== undefined) {
    throw invalidRequestContent(
      `Could not find member '${foreign}' on object of type 'ResourceGroupDefinition'. Path '${foreign}'`,
    );
  }
  const tags = objectAt(body, 'tags');
  const wrong = Object.keys(tags).find((name) => typeof tags[name] !== 'string');
  if (wrong !== undefined)
    throw invalidRequestContent(`The value of the tag '${wrong}' is no string. Path 'tags.${wrong}'`);
  return omit(body, ['id', 'name', 'type']);
}

function render(group: StoredResource): JsonObject {
  return {
    id: group.id,
    name: group.name,
    type: 'Microsoft.Resources/resourceGroups',
    ...omit(group.body, ['denyAssignment', 'properties']),
    properties: objectAt(group.body, 'properties'),
  };
}
