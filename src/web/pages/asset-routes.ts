import { Hono } from 'hono';
import { encodeAsset, findAsset } from '../views/assets.ts';

/** Files of the admin itself: they need no user, hold nothing private, and their folder changes with any of them. */
export function assetRoutes(isCompressing: boolean): Hono {
  return new Hono().get('/assets/:folder/:name', async (context) => {
    const name = context.req.param('name');
    const asset = findAsset(name);
    if (asset === undefined) return context.notFound();
    const accepted = isCompressing ? (context.req.header('accept-encoding') ?? '') : '';
    const { encoding, bytes } = await encodeAsset(name, asset, accepted);
    return context.body(new Uint8Array(bytes), 200, {
      'content-type': asset.contentType,
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'accept-encoding',
      ...(encoding !== undefined && { 'content-encoding': encoding }),
    });
  });
}
