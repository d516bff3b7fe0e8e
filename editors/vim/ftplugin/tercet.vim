" Tercet: comments, indentation, and the language server. docs/editors.md says how to install this.
if exists('b:did_ftplugin')
  finish
endif
let b:did_ftplugin = 1

setlocal commentstring=//\ %s
setlocal comments=:///,://
setlocal expandtab shiftwidth=4 softtabstop=4 tabstop=4
setlocal iskeyword=@,48-57,_
setlocal suffixesadd=.tct
let b:undo_ftplugin = 'setlocal commentstring< comments< expandtab< shiftwidth< softtabstop< tabstop< iskeyword<'
      \ . ' suffixesadd<'

" The server: Neovim has a client of its own, for Vim docs/editors.md names plugins. `let g:tercet_program = '…'` says
" where the program is, an empty one that no server is to be started.
let s:program = get(g:, 'tercet_program', 'tercet')
if has('nvim-0.8') && !empty(s:program) && executable(s:program)
  call luaeval('vim.lsp.start({name = "tercet", cmd = {_A[1], "lsp"}, root_dir = _A[2]})',
        \ [s:program, expand('%:p:h')])
endif
