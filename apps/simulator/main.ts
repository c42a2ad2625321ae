import { EstateError } from './estate.schema.js';
import { OptionsError, readProcessOptions } from './simulator.options.js';
import { createSimulator } from './simulator.server.js';

try {
  const options = readProcessOptions(process.env, process.argv.slice(2));
  const simulator = await createSimulator({
    estate: options.estate,
    settings: options.settings,
    ...(options.stateFile === undefined ? {} : { stateFile: options.stateFile }),
    ...(options.publicUrl === undefined ? {} : { publicUrl: options.publicUrl }),
    ...(options.tokens === undefined ? {} : { tokens: options.tokens }),
  });
  const url = await simulator.listen({ port: options.port, host: options.host });
  console.log(`Azure simulator listening on ${url}`);
  const stop = (): void => {
    // A second signal finds the default handler again and ends the process at once.
    process.off('SIGTERM', stop);
    process.off('SIGINT', stop);
    process.off('disconnect', stop);
    // The channel would keep the process alive.
    if (process.connected) process.disconnect();
    void simulator.close();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // Whoever started this process with a channel to it is gone.
  process.on('disconnect', stop);
} catch (error) {
  // An address that is taken or not ours is the caller's fault too, and its message says which.
  const cannotListen = error instanceof Error && 'syscall' in error && error.syscall === 'listen';
  if (!(error instanceof OptionsError) && !(error instanceof EstateError) && !cannotListen) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
