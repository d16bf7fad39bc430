/** What stands around every page. */
export const layoutTexts = {
  product: 'Holdfast',
  skip: 'Skip to content',
  navigation: 'Main',
  overview: 'Overview',
  archives: 'Archives',
  backUp: 'Back up',
  restore: 'Restore',
  runs: 'Runs',
  settings: 'Settings',
  logOut: 'Log out',
  account: 'Account',
  roles: { viewer: 'viewer', operator: 'operator', admin: 'admin' },
} as const;
