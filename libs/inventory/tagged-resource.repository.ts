import type { Transaction } from '#libs/database/sql.js';
import { databaseJson } from '#libs/database/database-json.js';
import { conditionsOf, Parameters, type ResourceOrder } from './resource.filter.js';
import type { ResourceFilter } from './resource.query.js';

/** A tag with no more objects than this is rare: all of them can be looked at within the time that a page may take. */
const RARE = 5_000;
/** How far a list is walked in the hope of a full page; looking up one of its members costs about two microseconds. */
const WALK = 5_000;
/** More lists cost more to plan than they save; the tags after these are read from the rows that are left. */
const LISTS = 4;

export interface TaggedResourcesWanted {
  /** Normalised, with at least one tag. */
  filter: ResourceFilter;
  order: ResourceOrder;
  /** The cursor's key: only what comes after it. */
  key: readonly string[] | null;
  limit: number;
  /** Only what is in its present state since then. */
  unchangedSince?: Date;
}

/** A list of keys in order, and what a member of another list must fulfil to be on this one too. */
interface KeyList {
  /** `resource r` or `resource_tag tagN`. */
  source: string;
  alias: string;
  conditions: string[];
}

interface KeyRow {
  name: string;
  uid: string;
}

/**
 * Finds the living objects with some tags. Each tag is a list of its own in `resource_tag`, in the order (name, uid), and so
 * is what an index leaves of the other filters. How long these lists are is looked at first, because the planner cannot
 * know: for it, name and uid are independent of each other, so it expects next to nothing of a join over both, and would
 * rather hash and sort two lists of a million than go through them in order and stop after a page.
 */
export class TaggedResourceRepository {
  /** @returns the uids of one page, in no order. */
  async find(transaction: Transaction, wanted: TaggedResourcesWanted): Promise<string[]> {
    const rarest = await this.#rarestTag(transaction, Object.entries(wanted.filter.tags ?? {}));
    if (wanted.order.field !== 'name') {
      return rarest.number <= RARE ? this.#sorted(transaction, wanted) : this.#walked(transaction, wanted);
    }
    return this.#inOrderByName(transaction, wanted, rarest);
  }

  /** The tag with the fewest objects, as far as that can be told by counting up to `RARE`. */
  async #rarestTag(
    transaction: Transaction,
    tags: readonly [string, string][],
  ): Promise<{ position: number; number: number }> {
    const { rows } = await transaction.query<{ position: number; number: number }>(
      `SELECT wanted.position::integer - 1 AS position, counted.number::integer AS number
       FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (key, value, position)
       CROSS JOIN LATERAL (
         SELECT count(*) AS number
         FROM (SELECT FROM resource_tag WHERE tag = tag_key(wanted.key, wanted.value) LIMIT $3 + 1) AS counted
       ) AS counted
       ORDER BY number, position LIMIT 1`,
      [tags.slice(0, LISTS).map(([key]) => key), tags.slice(0, LISTS).map(([, value]) => value), RARE],
    );
    return rows[0] ?? { position: 0, number: 0 };
  }

  /**
   * Walks one list in order and looks its members up in the others: the list of a rare tag to its end, a longer one for a
   * while. Where that while was not enough, the tag and the filter are strangers to each other, and the lists are merged
   * from there on.
   */
  async #inOrderByName(
    transaction: Transaction,
    wanted: TaggedResourcesWanted,
    rarest: { position: number; number: number },
  ): Promise<string[]> {
    const { limit } = wanted;
    const parameters = new Parameters();
    const lists = listsOf(wanted, parameters);
    const isRare = rarest.number <= RARE;
    const ofRow = lists.find((list) => list.alias === 'r');
    const first =
      (isRare ? undefined : ofRow) ?? lists.find((list) => list.alias === `tag${rarest.position}`) ?? lists[0]!;
    const conditions = [...first.conditions];
    if (wanted.key !== null) conditions.push(wanted.order.isAfter(first.alias, parameters.addAll(wanted.key)));
    // OFFSET 0 keeps the planner from making a join of the look-up.
    const isOnOthers = lists
      .filter((list) => list !== first)
      .map(
        (list) =>
          `EXISTS (SELECT FROM ${list.source} WHERE ${[...list.conditions, isSame(list.alias, 'walked')].join(' AND ')} OFFSET 0)`,
      );
    const walk = `SELECT ${first.alias}.name, ${first.alias}.uid FROM ${first.source} WHERE ${conditions.join(' AND ')}
      ORDER BY ${wanted.order.orderBy(first.alias)}`;
    if (isRare || isOnOthers.length === 0) {
      const { rows } = await transaction.query<KeyRow>(
        `SELECT name, uid FROM (${walk}) AS walked WHERE ${['true', ...isOnOthers].join(' AND ')} LIMIT ${limit}`,
        parameters.values,
      );
      return rows.map((row) => row.uid);
    }
    // What is walked is read in the order it was stored in; sorting the hits would mean looking all of it up first. The last
    // row that was walked comes along, whether it is a hit or not.
    const { rows } = await transaction.query<KeyRow & { hit: boolean; position: string }>(
      `WITH walked AS MATERIALIZED (SELECT *, row_number() OVER () AS position FROM (${walk} LIMIT ${WALK}) AS keys),
         hits AS MATERIALIZED (SELECT * FROM walked WHERE ${isOnOthers.join(' AND ')} LIMIT ${limit})
       SELECT name, uid, position, true AS hit FROM hits
       UNION ALL
       (SELECT name, uid, position, false FROM walked WHERE position = ${WALK})
       ORDER BY position, hit DESC`,
      parameters.values,
    );
    const hits = rows.filter((row) => row.hit).map((row) => row.uid);
    const end = rows.find((row) => !row.hit);
    if (hits.length === limit || end === undefined) return hits;
    const rest = await this.#merged(transaction, { ...wanted, key: [end.name, end.uid], limit: limit - hits.length });
    return [...hits, ...rest];
  }

  async #merged(transaction: Transaction, wanted: TaggedResourcesWanted): Promise<string[]> {
    const { order, key } = wanted;
    const parameters = new Parameters();
    const lists = listsOf(wanted, parameters);
    const keyParameters = key === null ? null : parameters.addAll(key);
    const first = lists[0]!;
    const conditions = lists.flatMap((list) => [
      ...list.conditions,
      ...(list === first ? [] : [isSame(list.alias, first.alias)]),
      // Said of every list, since the planner does not carry a row comparison over to what is joined.
      ...(keyParameters === null ? [] : [order.isAfter(list.alias, keyParameters)]),
    ]);
    await transaction.query(MERGE_ONLY);
    const { rows } = await transaction.query<KeyRow>(
      `SELECT ${first.alias}.name, ${first.alias}.uid FROM ${lists.map((list) => list.source).join(', ')}
       WHERE ${conditions.join(' AND ')} ORDER BY ${order.orderBy(first.alias)} LIMIT ${wanted.limit}`,
      parameters.values,
    );
    await transaction.query(ANY_PLAN);
    return rows.map((row) => row.uid);
  }

  /** In another order, with a rare tag: what has it is sorted. */
  async #sorted(transaction: Transaction, wanted: TaggedResourcesWanted): Promise<string[]> {
    const { order, key } = wanted;
    const parameters = new Parameters();
    const lists = listsOf(wanted, parameters, 'with row');
    const conditions = lists.flatMap((list) => [
      ...list.conditions,
      ...(list.alias === 'r' ? [] : [isSame(list.alias, 'r')]),
    ]);
    if (key !== null) conditions.push(order.isAfter('r', parameters.addAll(key)));
    const { rows } = await transaction.query<KeyRow>(
      `SELECT r.name, r.uid FROM ${lists.map((list) => list.source).join(', ')}
       WHERE ${conditions.join(' AND ')} ORDER BY ${order.orderBy('r')} LIMIT ${wanted.limit}`,
      parameters.values,
    );
    return rows.map((row) => row.uid);
  }

  /** In another order, with common tags: the rows are walked in that order and looked up in the tags' lists. */
  async #walked(transaction: Transaction, wanted: TaggedResourcesWanted): Promise<string[]> {
    const { order, key } = wanted;
    const parameters = new Parameters();
    const conditions = listsOf(wanted, parameters, 'with row').flatMap((list) =>
      list.alias === 'r'
        ? list.conditions
        : [
            `EXISTS (SELECT FROM ${list.source} WHERE ${[...list.conditions, isSame(list.alias, 'r')].join(' AND ')} OFFSET 0)`,
          ],
    );
    if (key !== null) conditions.push(order.isAfter('r', parameters.addAll(key)));
    const { rows } = await transaction.query<KeyRow>(
      `SELECT r.name, r.uid FROM resource r WHERE ${conditions.join(' AND ')}
       ORDER BY ${order.orderBy('r')} LIMIT ${wanted.limit}`,
      parameters.values,
    );
    return rows.map((row) => row.uid);
  }
}

const MERGE_ONLY = `
  SET LOCAL enable_sort = off;
  SET LOCAL enable_incremental_sort = off;
  SET LOCAL enable_hashjoin = off;
  SET LOCAL max_parallel_workers_per_gather = 0`;
const ANY_PLAN = `
  SET LOCAL enable_sort TO DEFAULT;
  SET LOCAL enable_incremental_sort TO DEFAULT;
  SET LOCAL enable_hashjoin TO DEFAULT;
  SET LOCAL max_parallel_workers_per_gather TO DEFAULT`;

/** The rows come first, where anything is asked of them; a tag has living rows only, so otherwise they are not needed. */
function listsOf(
  { filter, unchangedSince }: TaggedResourcesWanted,
  parameters: Parameters,
  rows: 'with row' | 'row if needed' = 'row if needed',
): KeyList[] {
  const tags = Object.entries(filter.tags ?? {});
  const ofRow = conditionsOf(filter, 'r', parameters);
  if (unchangedSince !== undefined) ofRow.push(`r.changed_at <= ${parameters.add(unchangedSince)}`);
  if (tags.length > LISTS) ofRow.push(`r.tags @> ${parameters.add(databaseJson(filter.tags))}::jsonb`);
  const ofTags = tags.slice(0, LISTS).map(([key, value], position): KeyList => {
    const alias = `tag${position}`;
    const tag = `tag_key(${parameters.add(key)}::text, ${parameters.add(value)}::text)`;
    return { source: `resource_tag ${alias}`, alias, conditions: [`${alias}.tag = ${tag}`] };
  });
  if (ofRow.length === 0 && rows === 'row if needed') return ofTags;
  return [{ source: 'resource r', alias: 'r', conditions: ['r.deleted_at IS NULL', ...ofRow] }, ...ofTags];
}

function isSame(left: string, right: string): string {
  return `${left}.name = ${right}.name AND ${left}.uid = ${right}.uid`;
}
