import { defineBackup, exclude, filePath } from 'holdfast';
import { products } from './schema.ts';

export default defineBackup(products, {
  fields: {
    photoPath: filePath({ root: 'uploads' }),
    searchText: exclude({ value: '' }),
  },
  // Pictures of no product in particular.
  fileRoots: ['uploads/banners'],
});
