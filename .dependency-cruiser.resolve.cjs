// How the imports map of package.json looks from the sources: `#libs/x.js` is libs/x.ts, not what was built of it.
const path = require('node:path');

module.exports = {
  resolve: {
    alias: { '#libs': path.join(__dirname, 'libs'), '#migrations': path.join(__dirname, 'migrations') },
    extensionAlias: { '.js': ['.ts', '.js'] },
  },
};
