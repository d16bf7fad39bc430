/** Holdfast is loaded as it is installed: it starts processes and threads from files of its own. */
export default {
  serverExternalPackages: ['holdfast'],
};
