// Who may import whom: the table of the design (README, "The house"). There is no list of exceptions.
// Composition roots (apps/*/main, *.module, apps/house) may import anything; tests may import what they test with.

const TEST = '\\.(spec|e2e|bench|contract-suite)\\.ts$|^test/|^libs/testing/|^bench/';
const ROOT = '^apps/[^/]+/main\\.ts$|\\.main\\.ts$|\\.module\\.ts$|^apps/house/|^migrations/schema\\.ts$';

/** What a folder may import of ours, besides itself. */
const allowed = {
  'libs/kernel': [],
  'libs/config': ['libs/kernel'],
  'libs/database': ['libs/kernel'],
  'libs/azure': ['libs/kernel'],
  'libs/kube': ['libs/kernel'],
  'libs/systems/contract': ['libs/kernel'],
  'libs/inventory': ['libs/kernel', 'libs/database', 'libs/config', 'libs/systems/contract'],
  'libs/operations': ['libs/kernel', 'libs/database', 'libs/config', 'libs/systems/contract'],
  'libs/audit': ['libs/kernel', 'libs/database', 'libs/config', 'libs/systems/contract'],
  'libs/access': ['libs/kernel', 'libs/database', 'libs/config', 'libs/systems/contract'],
  'libs/control': [
    'libs/kernel',
    'libs/database',
    'libs/inventory',
    'libs/operations',
    'libs/audit',
    'libs/access',
    'libs/systems/contract',
  ],
  'apps/api': [
    'libs/kernel',
    'libs/control',
    'libs/access/caller',
    'libs/systems/contract',
    'libs/operations/operation.status',
    'libs/operations/operation-set.status',
  ],
  'apps/worker': [
    'libs/kernel',
    'libs/config',
    'libs/database',
    'libs/inventory',
    'libs/operations',
    'libs/audit',
    'libs/access',
    'libs/control',
    'libs/systems/contract',
    'libs/azure',
    'apps/house',
  ],
  'apps/simulator': ['libs/kernel'],
};

const folderRules = Object.entries(allowed).map(([folder, others]) => ({
  name: `${folder.replaceAll('/', '-')}-imports`,
  comment: `${folder} may import ${others.length === 0 ? 'nothing of ours' : others.join(', ')}`,
  severity: 'error',
  from: { path: `^${folder}/`, pathNot: `${TEST}|${ROOT}` },
  to: { path: '^(apps|libs|migrations)/', pathNot: [folder, ...others].map((path) => `^${path}[/.]`).join('|') },
}));

module.exports = {
  forbidden: [
    ...folderRules,
    {
      name: 'a-system-knows-no-sibling',
      comment: 'A system may import the contract, kernel, azure and kube, never a sibling and nothing above',
      severity: 'error',
      from: { path: '^libs/systems/(?!contract/)([^/]+)/', pathNot: `${TEST}|${ROOT}` },
      to: {
        path: '^(apps|libs|migrations)/',
        pathNot: '^libs/(kernel|azure|kube|systems/contract|systems/$1)/',
      },
    },
    {
      name: 'sdks-only-in-clients',
      comment: 'An SDK is imported by the one file that touches it',
      severity: 'error',
      from: { path: '^(apps|libs|migrations)/', pathNot: `\\.client\\.ts$|${TEST}` },
      to: { path: 'node_modules/(@azure/arm-|@kubernetes/client-node)' },
    },
    {
      name: 'sql-driver-only-in-database',
      comment: 'pg is the business of libs/database; everything else goes through it',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: `^libs/database/|${TEST}` },
      to: { path: 'node_modules/pg/' },
    },
    {
      name: 'no-test-code-in-the-house',
      severity: 'error',
      from: { path: '^(apps|libs|migrations)/', pathNot: TEST },
      to: { path: TEST },
    },
    { name: 'no-cycles', severity: 'error', from: { path: '^(apps|libs|migrations)/' }, to: { circular: true } },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, pathNot: `${TEST}|${ROOT}` }, to: {} },
    {
      name: 'only-declared-packages',
      severity: 'error',
      from: { path: '^(apps|libs|migrations)/', pathNot: `${TEST}|^libs/database/embedded-postgres|^apps/simulator/` },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'], pathNot: 'node_modules/@types/' },
    },
    {
      name: 'everything-resolves',
      severity: 'error',
      from: { path: '^(apps|libs|migrations)/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    webpackConfig: { fileName: '.dependency-cruiser.resolve.cjs' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.json', '.mjs', '.cjs', '.d.ts'],
    },
  },
};
