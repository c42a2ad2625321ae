import { rm } from 'node:fs/promises';

export default async function teardown() {
  const { postgres, directory } = globalThis.pilothouseTestPostgres;
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}
