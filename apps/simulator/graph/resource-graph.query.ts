import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { ArmError } from '../arm-error.js';
import { jsonBody } from '../arm-request.js';
import type { ArmAnswer, ArmRequest } from '../arm-request.js';
import type { AzureState } from '../azure.state.js';
import { textAt } from '../json-merge.js';
import { SUBSCRIPTION_TYPE } from '../resource-type.registry.js';
import { evaluateKql } from './kql.evaluator.js';
import { KqlError } from './kql.lexer.js';
import { parseKql } from './kql.parser.js';

const COLUMNS = [
  'id',
  'name',
  'type',
  'tenantId',
  'kind',
  'location',
  'resourceGroup',
  'subscriptionId',
  'managedBy',
  'sku',
  'plan',
  'properties',
  'tags',
  'identity',
  'zones',
  'extendedLocation',
  'systemData',
];

/** Tables that exist in Azure; those without simulated types are empty. */
const TABLES = new Set([
  'resources',
  'aksresources',
  'resourcecontainers',
  'kubernetesconfigurationresources',
  'extendedlocationresources',
  'extensibilityresources',
  'authorizationresources',
  'appserviceresources',
]);

const bodySchema = z.object({
  subscriptions: z.array(z.string()).nullish(),
  managementGroups: z.array(z.string()).nullish(),
  query: z.string(),
  options: z
    .object({
      $top: z.int().min(1).max(1000).nullish(),
      $skip: z.int().min(0).nullish(),
      $skipToken: z.string().nullish(),
      resultFormat: z.string().nullish(),
    })
    .nullish(),
});

/** `POST /providers/Microsoft.ResourceGraph/resources`. */
export class ResourceGraphQuery {
  constructor(private readonly state: AzureState) {}

  run(request: ArmRequest, correlationId: string): ArmAnswer {
    const parsed = bodySchema.safeParse(jsonBody(request));
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw badRequest(this.state, correlationId, 'InvalidPayload', `${issue?.path.join('.')}: ${issue?.message}`);
    }
    const { query, options, subscriptions } = parsed.data;
    if ((options?.resultFormat ?? 'objectArray') !== 'objectArray') {
      throw badRequest(
        this.state,
        correlationId,
        'InvalidPayload',
        'Of the result formats, only objectArray is simulated.',
      );
    }
    const wanted = this.#subscriptions(subscriptions, correlationId);
    this.state.graph.catchUp();
    const rows = this.#rows(query, wanted, correlationId);
    return { status: 200, body: this.#page(rows, parsed.data, correlationId) };
  }

  #rows(query: string, subscriptions: ReadonlySet<string>, correlationId: string): JsonObject[] {
    try {
      const { table, stages } = parseKql(query);
      if (!TABLES.has(table))
        throw new KqlError('UnknownTable', `Table ${table} is invalid, undefined or not supported.`);
      return evaluateKql(stages, this.#visible(table, subscriptions), COLUMNS);
    } catch (error) {
      if (!(error instanceof KqlError)) throw error;
      const code = error.code === 'UnknownTable' ? 'UnknownTable' : 'InvalidQuery';
      throw badRequest(this.state, correlationId, code, error.message);
    }
  }

  *#visible(table: string, subscriptions: ReadonlySet<string>): Generator<JsonObject> {
    for (const row of this.state.graph.rows(table)) {
      if (subscriptions.has(textAt(row, 'subscriptionId')?.toLowerCase() ?? '')) yield row;
    }
  }

  #subscriptions(asked: readonly string[] | null | undefined, correlationId: string): ReadonlySet<string> {
    const all = this.state.resources.records(this.state.resources.ofType(SUBSCRIPTION_TYPE).all());
    const known = new Set(all.map((subscription) => subscription.subscriptionId.toLowerCase()));
    if (asked === undefined || asked === null || asked.length === 0) return known;
    const eligible = new Set(asked.map((id) => id.toLowerCase()).filter((id) => known.has(id)));
    if (eligible.size > 0) return eligible;
    const message = `There must be at least one subscription that is eligible to contain resources. Given: '${asked.join(',')}'.`;
    throw badRequest(this.state, correlationId, 'NoValidSubscriptionsInQueryRequest', message);
  }

  /** There is a `$skipToken` only when rows remain and the rows carry their id: Azure cannot page otherwise. */
  #page(rows: readonly JsonObject[], body: z.infer<typeof bodySchema>, correlationId: string): JsonObject {
    const size = body.options?.$top ?? this.state.settings.graphPageSize;
    const start = this.#start(body, correlationId);
    const data = rows.slice(start, start + size);
    const remaining = start + data.length < rows.length;
    const canPage = remaining && rows[0] !== undefined && 'id' in rows[0];
    return {
      totalRecords: rows.length,
      count: data.length,
      data,
      facets: [],
      resultTruncated: remaining ? 'true' : 'false',
      ...(canPage ? { $skipToken: encodeToken(start + data.length, body.query) } : {}),
    };
  }

  #start(body: z.infer<typeof bodySchema>, correlationId: string): number {
    const token = body.options?.$skipToken ?? undefined;
    if (token === undefined || token === '') return body.options?.$skip ?? 0;
    const start = decodeToken(token, body.query);
    if (start === undefined)
      throw badRequest(this.state, correlationId, 'InvalidSkipToken', 'The $skipToken does not belong to this query.');
    return start;
  }
}

/** Resource Graph hides the cause in the details. */
function badRequest(state: AzureState, correlationId: string, code: string, message: string): ArmError {
  const timestamp = state.clock.now().toISOString();
  return new ArmError(
    400,
    'BadRequest',
    `Please provide below info when asking for support: timestamp = ${timestamp}, correlationId = ${correlationId}.`,
    { details: [{ code, message }] },
  );
}

function encodeToken(start: number, query: string): string {
  return Buffer.from(JSON.stringify({ start, length: query.length }), 'utf8').toString('base64url');
}

function decodeToken(token: string, query: string): number | undefined {
  const match = /^\{"start":(\d+),"length":(\d+)\}$/.exec(Buffer.from(token, 'base64url').toString('utf8'));
  return match !== null && Number(match[2]) === query.length ? Number(match[1]) : undefined;
}
