import { type Node, type SourceFile, SyntaxKind } from 'typescript/unstable/ast';

/** One small change of a source file, which a test should notice. */
export interface Mutant {
  /** From the checkout's root. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly start: number;
  readonly end: number;
  readonly original: string;
  readonly replacement: string;
}

const swaps: Readonly<Partial<Record<SyntaxKind, readonly string[]>>> = {
  [SyntaxKind.LessThanToken]: ['<=', '>='],
  [SyntaxKind.LessThanEqualsToken]: ['<', '>'],
  [SyntaxKind.GreaterThanToken]: ['>=', '<='],
  [SyntaxKind.GreaterThanEqualsToken]: ['>', '<'],
  [SyntaxKind.EqualsEqualsEqualsToken]: ['!=='],
  [SyntaxKind.ExclamationEqualsEqualsToken]: ['==='],
  [SyntaxKind.PlusToken]: ['-'],
  [SyntaxKind.MinusToken]: ['+'],
  [SyntaxKind.AsteriskToken]: ['/'],
  [SyntaxKind.SlashToken]: ['*'],
  [SyntaxKind.PercentToken]: ['*'],
  [SyntaxKind.AsteriskAsteriskToken]: ['*'],
  [SyntaxKind.AmpersandToken]: ['|'],
  [SyntaxKind.BarToken]: ['&'],
  [SyntaxKind.CaretToken]: ['&'],
  [SyntaxKind.LessThanLessThanToken]: ['>>'],
  [SyntaxKind.GreaterThanGreaterThanToken]: ['<<'],
  [SyntaxKind.GreaterThanGreaterThanGreaterThanToken]: ['<<'],
  [SyntaxKind.AmpersandAmpersandToken]: ['||'],
  [SyntaxKind.BarBarToken]: ['&&'],
  [SyntaxKind.PlusEqualsToken]: ['-='],
  [SyntaxKind.MinusEqualsToken]: ['+='],
};

const skipped: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.ImportDeclaration,
  SyntaxKind.ExportDeclaration,
  SyntaxKind.InterfaceDeclaration,
  SyntaxKind.TypeAliasDeclaration,
]);

/** The children of a node by name, as far as they are looked at. */
interface Parts {
  readonly left?: Node;
  readonly right?: Node;
  readonly operatorToken?: Node;
  readonly operator?: SyntaxKind;
  readonly operand?: Node;
  readonly expression?: Node;
  readonly condition?: Node;
  readonly type?: Node;
}

/**
 * All mutants of a file: comparisons, arithmetic and conditions turned round, numbers one more and one less, statements left out. Assertions, which hold
 * whatever happens, texts, types and imports stay as they are.
 */
export function mutantsOf(file: string, source: SourceFile): Mutant[] {
  const { text } = source;
  const found: Mutant[] = [];
  const add = (node: Node, replacement: string): void => {
    const start = startOf(text, node);
    const original = text.slice(start, node.end);
    const line = text.slice(0, start).split('\n').length;
    found.push({ file, line, start, end: node.end, original, replacement });
  };
  const visit = (node: Node): void => {
    if (skipped.has(node.kind) || isAssertion(text, node)) return;
    for (const [target, replacement] of changesOf(text, node)) add(target, replacement);
    const { type } = node as Parts;
    node.forEachChild((child: Node) => {
      if (child !== type) visit(child);
    });
  };
  visit(source);
  return found;
}

function changesOf(text: string, node: Node): (readonly [Node, string])[] {
  const { left, right, operatorToken, operator, operand, expression, condition } = node as Parts;
  const textOf = (part: Node) => text.slice(startOf(text, part), part.end);
  switch (node.kind) {
    case SyntaxKind.BinaryExpression: {
      if (operatorToken === undefined || left === undefined || right === undefined) return [];
      const joinsText = [left, right].some((side) => /^['"`]|String|join\(/.test(textOf(side)));
      if (operatorToken.kind === SyntaxKind.PlusToken && joinsText) return [];
      return (swaps[operatorToken.kind] ?? []).map((swap) => [operatorToken, swap] as const);
    }
    case SyntaxKind.NumericLiteral: {
      const value = Number(textOf(node).replaceAll('_', ''));
      return [[node, `${value + 1}`] as const, ...(value > 0 ? [[node, `${value - 1}`] as const] : [])];
    }
    case SyntaxKind.TrueKeyword:
      return [[node, 'false']];
    case SyntaxKind.FalseKeyword:
      return [[node, 'true']];
    case SyntaxKind.PrefixUnaryExpression:
      if (operand === undefined || operator === undefined) return [];
      if (operator === SyntaxKind.ExclamationToken || operator === SyntaxKind.MinusToken)
        return [[node, textOf(operand)]];
      return [];
    case SyntaxKind.PostfixUnaryExpression:
      if (operand === undefined) return [];
      return [[node, `${textOf(operand)}${operator === SyntaxKind.PlusPlusToken ? '--' : '++'}`]];
    case SyntaxKind.IfStatement:
    case SyntaxKind.WhileStatement:
      return expression === undefined ? [] : [[expression, `!(${textOf(expression)})`]];
    case SyntaxKind.ConditionalExpression:
      return condition === undefined ? [] : [[condition, `!(${textOf(condition)})`]];
    case SyntaxKind.ReturnStatement:
      return expression === undefined || textOf(expression) === 'undefined' ? [] : [[node, 'return;']];
    case SyntaxKind.ExpressionStatement:
    case SyntaxKind.ThrowStatement:
      return /^super\(/.test(textOf(node)) ? [] : [[node, ';']];
    default:
      return [];
  }
}

function isAssertion(text: string, node: Node): boolean {
  if (node.kind !== SyntaxKind.ExpressionStatement) return false;
  return /^assert(\.\w+)?\(/.test(text.slice(startOf(text, node), node.end));
}

/** Behind the blanks and comments that belong to a node. */
function startOf(text: string, node: Node): number {
  const blank = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
  blank.lastIndex = node.pos;
  return node.pos + (blank.exec(text)?.[0].length ?? 0);
}
