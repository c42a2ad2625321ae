// What the HTTP bench compares with: Fastify and pg, nothing between them. It sends the same 100 rows.
import Fastify from 'fastify';
import { Pool } from 'pg';

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 20 });
const server = Fastify();

const ROWS = `
  SELECT uid, kind, id, name, location, subscription_id AS "subscriptionId", resource_group AS "resourceGroup",
    cluster_uid AS "clusterUid", namespace, provisioning_state AS "provisioningState", health,
    health_reason AS "healthReason", tags, properties, observed_at AS "observedAt", source, changed_at AS "changedAt"
  FROM resource WHERE kind = $1 AND deleted_at IS NULL ORDER BY name, uid LIMIT 100`;

server.get('/rows', async () => {
  const { rows } = await pool.query({ name: 'rows', text: ROWS, values: ['ManagedCluster'] });
  return { items: rows };
});

await server.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
process.send?.('ready');
