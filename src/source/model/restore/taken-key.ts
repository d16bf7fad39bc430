/** What can be done where the key of a row is taken in the target. */
export const takenKeyHint =
  'keep what is there with --on-conflict skip, change it with --on-conflict update, or replace all rows of the tables with --on-conflict replace-all; rows that have other numbers in the target are found with --natural-key';
