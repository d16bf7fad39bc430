import type { History } from '../history/history.ts';
import type { Log } from '../log/log.ts';
import type { ListenAddress } from '../web/listen-address.ts';
import type { MetricsServer } from '../web/metrics-server.ts';
import type { CommandContext } from './command-context.ts';
import { historyMetrics } from './metrics-command.ts';
import { toHoldfastError } from './print-error.ts';

/** Answers scrapes from the history that is open, and from the jobs as they are by then. */
export async function serveMetrics(
  served: {
    readonly address: ListenAddress;
    readonly store: History;
    readonly jobs: () => Parameters<typeof historyMetrics>[1];
    readonly log: Log;
  },
  context: CommandContext,
): Promise<MetricsServer> {
  const { address, store, jobs, log } = served;
  const { startMetricsServer } = await import('../web/metrics-server.ts');
  const { formatListenAddress } = await import('../web/listen-address.ts');
  const { metricsContentType } = await import('../operation/metrics.ts');
  const server = await startMetricsServer({
    address,
    contentType: metricsContentType,
    metrics: () => historyMetrics(store, jobs(), context),
    checkReady: async () => {
      await store.handledMs('');
    },
    onError: (thrown) => {
      const { code, message, hint } = toHoldfastError(thrown);
      log.error(message, { error: { code, message, hint } });
    },
    clock: context.clock,
  });
  // What that loads is loaded now, and not in the middle of a scrape.
  await historyMetrics(store, jobs(), context);
  log.info(`metrics at http://${formatListenAddress(server.address)}/metrics`, { ...server.address });
  return server;
}
