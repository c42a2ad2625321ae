import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The state cache. What the tables leave out on purpose:
 * - no unique index on `resource.canonical_id`: the primary key is a function of it (uuid v5);
 * - no present state in `resource_version`: that is the row of `resource` itself, true since `changed_at`;
 * - no foreign keys: either end of a relation, and the scope of a row, may be unknown yet.
 * An absent location or provisioning state is '' here, so that one row comparison can continue a page.
 */
export class CreateInventory1764000000000 implements MigrationInterface {
  readonly name = 'CreateInventory1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    // A trusted extension: the owner of the database may create it. Where even that is forbidden, an administrator
    // creates it beforehand and this is a no-op.
    await runner.query('CREATE EXTENSION IF NOT EXISTS pg_trgm');

    await runner.query(`
      CREATE TABLE resource (
        uid uuid NOT NULL,
        cluster_uid uuid,
        observed_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL,
        created_at timestamptz NOT NULL,
        deleted_at timestamptz,
        hash bytea NOT NULL,
        source text NOT NULL,
        kind text COLLATE "C" NOT NULL,
        name text COLLATE "C" NOT NULL,
        location text COLLATE "C" NOT NULL,
        provisioning_state text COLLATE "C" NOT NULL,
        health text COLLATE "C" NOT NULL,
        health_reason text,
        namespace text COLLATE "C",
        subscription_id text COLLATE "C",
        resource_group text,
        scope_key text,
        etag text,
        id text NOT NULL,
        canonical_id text NOT NULL,
        tags jsonb NOT NULL,
        properties jsonb NOT NULL,
        CONSTRAINT resource_pkey PRIMARY KEY (uid)
      ) WITH (fillfactor = 90)`);

    // Each index of a filter goes on with the default order, so that a page is read in order and the reading ends with
    // the page; the columns behind the uid let a second filter be decided inside the index, without a visit to the row.
    const indexes = {
      name: '(name, uid, kind, health)',
      kind: '(kind, name, uid, health)',
      location: '(location, name, uid, kind, health)',
      health: '(health, name, uid, kind)',
      provisioning_state: '(provisioning_state, name, uid, kind)',
      change: '(changed_at, name, uid, kind)',
      creation: '(created_at, name, uid, kind)',
      scope: '(scope_key)',
      name_part: 'USING gin (name gin_trgm_ops)',
    };
    for (const [name, columns] of Object.entries(indexes)) {
      const access = columns.startsWith('USING') ? columns : `USING btree ${columns}`;
      await runner.query(`CREATE INDEX resource_by_${name} ON resource ${access} WHERE deleted_at IS NULL`);
    }
    const partialIndexes = {
      cluster: ['cluster_uid', '(cluster_uid, name, uid, kind, namespace, health)'],
      namespace: ['namespace', '(namespace, name, uid, kind, health)'],
      subscription: ['subscription_id', '(subscription_id, name, uid, kind, health)'],
      group: ['resource_group', '(lower(resource_group), name, uid, kind, subscription_id)'],
    };
    for (const [name, [column, columns]] of Object.entries(partialIndexes)) {
      await runner.query(
        `CREATE INDEX resource_by_${name} ON resource ${columns} WHERE deleted_at IS NULL AND ${column} IS NOT NULL`,
      );
    }
    await runner.query('CREATE INDEX resource_by_deletion ON resource (deleted_at) WHERE deleted_at IS NOT NULL');

    // The living objects of each tag in the default order. A GIN index on resource.tags would give them in the order of
    // the table: a page of a common tag would have to visit and sort every object that has it.
    await runner.query(`
      CREATE TABLE resource_tag (
        tag uuid NOT NULL,
        uid uuid NOT NULL,
        name text COLLATE "C" NOT NULL,
        CONSTRAINT resource_tag_pkey PRIMARY KEY (tag, name, uid)
      )`);
    // Half a SHA-256 in place of both texts: a third of the size, and the length of a label does not matter.
    await runner.query(`
      CREATE FUNCTION tag_key(key text, value text) RETURNS uuid
      LANGUAGE sql IMMUTABLE PARALLEL SAFE
      RETURN encode(substring(sha256(convert_to(key || chr(1) || value, 'UTF8')) FOR 16), 'hex')::uuid`);

    await runner.query(`
      CREATE TABLE relation (
        from_uid uuid NOT NULL,
        to_uid uuid NOT NULL,
        claimed_by uuid NOT NULL,
        type text COLLATE "C" NOT NULL,
        CONSTRAINT relation_pkey PRIMARY KEY (from_uid, type, to_uid, claimed_by),
        CONSTRAINT relation_claimed_by_an_end CHECK (claimed_by = from_uid OR claimed_by = to_uid)
      )`);
    await runner.query('CREATE INDEX relation_by_target ON relation (to_uid, type, from_uid)');
    await runner.query('CREATE INDEX relation_by_claimant ON relation (claimed_by)');

    // By the end of a version: what is appended goes into the present month, and a month is dropped when all of it ended
    // before the time that history is kept for.
    await runner.query(`
      CREATE TABLE resource_version (
        uid uuid NOT NULL,
        cluster_uid uuid,
        valid_from timestamptz NOT NULL,
        valid_to timestamptz NOT NULL,
        observed_at timestamptz NOT NULL,
        created_at timestamptz NOT NULL,
        source text NOT NULL,
        kind text COLLATE "C" NOT NULL,
        name text COLLATE "C" NOT NULL,
        location text COLLATE "C" NOT NULL,
        provisioning_state text COLLATE "C" NOT NULL,
        health text COLLATE "C" NOT NULL,
        health_reason text,
        namespace text COLLATE "C",
        subscription_id text COLLATE "C",
        resource_group text,
        etag text,
        id text NOT NULL,
        canonical_id text NOT NULL,
        tags jsonb NOT NULL,
        properties jsonb NOT NULL,
        CONSTRAINT resource_version_pkey PRIMARY KEY (uid, valid_to),
        CONSTRAINT resource_version_range CHECK (valid_from < valid_to)
      ) PARTITION BY RANGE (valid_to)`);
    await runner.query('CREATE TABLE resource_version_default PARTITION OF resource_version DEFAULT');
    await runner.query('CREATE INDEX resource_version_by_name ON resource_version (name, uid)');
    await runner.query('CREATE INDEX resource_version_by_kind ON resource_version (kind, name, uid)');

    await runner.query(`
      CREATE TABLE change (
        xid bigint NOT NULL DEFAULT (pg_current_xact_id()::text)::bigint,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        at timestamptz NOT NULL,
        uid uuid NOT NULL,
        cluster_uid uuid,
        type text COLLATE "C" NOT NULL,
        kind text COLLATE "C" NOT NULL,
        namespace text COLLATE "C",
        subscription_id text COLLATE "C",
        changed text[] NOT NULL,
        provisioning_state_before text,
        provisioning_state text NOT NULL,
        health_before text,
        health text NOT NULL,
        CONSTRAINT change_pkey PRIMARY KEY (xid, seq)
      )`);
    await runner.query(`
      CREATE TABLE change_horizon (
        singleton boolean NOT NULL DEFAULT true,
        xid bigint NOT NULL,
        seq bigint NOT NULL,
        CONSTRAINT change_horizon_pkey PRIMARY KEY (singleton),
        CONSTRAINT change_horizon_is_one_row CHECK (singleton)
      )`);

    await runner.query(`
      CREATE TABLE scope (
        key text NOT NULL,
        collector text NOT NULL,
        kinds text[] NOT NULL,
        subscription_id text,
        cluster_uid uuid,
        interval_seconds integer NOT NULL,
        due_at timestamptz NOT NULL DEFAULT now(),
        claimed_by text,
        claimed_until timestamptz,
        fence bigint NOT NULL DEFAULT 0,
        state text NOT NULL DEFAULT 'new',
        last_started_at timestamptz,
        last_ended_at timestamptz,
        last_complete_at timestamptz,
        last_complete_source text,
        last_error jsonb,
        missing text,
        failures integer NOT NULL DEFAULT 0,
        object_count integer,
        CONSTRAINT scope_pkey PRIMARY KEY (key),
        CONSTRAINT scope_state CHECK (state = ANY (ARRAY['new', 'complete', 'partial', 'failed']))
      )`);
    await runner.query('CREATE INDEX scope_by_due ON scope (due_at)');

    // Who is asking the owner of an object about it right now; worth nothing after a crash, hence not logged.
    await runner.query(`
      CREATE UNLOGGED TABLE observation_lease (
        uid uuid NOT NULL,
        holder uuid NOT NULL,
        until timestamptz NOT NULL,
        CONSTRAINT observation_lease_pkey PRIMARY KEY (uid)
      )`);

    await runner.query(`
      CREATE FUNCTION changed_members(before jsonb, after jsonb) RETURNS text[]
      LANGUAGE sql IMMUTABLE PARALLEL SAFE
      RETURN (
        SELECT coalesce(array_agg('properties.' || coalesce(was.key, now_is.key) ORDER BY coalesce(was.key, now_is.key)), '{}')
        FROM jsonb_each(before) AS was FULL JOIN jsonb_each(after) AS now_is ON was.key = now_is.key
        WHERE was.value IS DISTINCT FROM now_is.value
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION changed_members(jsonb, jsonb)');
    await runner.query('DROP FUNCTION tag_key(text, text)');
    for (const table of [
      'observation_lease',
      'scope',
      'change_horizon',
      'change',
      'resource_version',
      'relation',
      'resource_tag',
      'resource',
    ]) {
      await runner.query(`DROP TABLE ${table}`);
    }
    // pg_trgm stays: it may have been there before, and others may use it.
  }
}
